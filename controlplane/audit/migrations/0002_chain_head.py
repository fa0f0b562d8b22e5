"""The one row at which the trail ends."""

from django.db import migrations


def make(apps, schema_editor):
    apps.get_model("audit", "ChainHead").objects.create(pk=1)


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
