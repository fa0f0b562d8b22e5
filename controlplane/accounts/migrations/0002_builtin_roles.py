"""The two built-in roles, as rows of rights."""

from django.db import migrations

VIEWER = ["hosts.view", "containers.view", "containers.logs", "images.view", "volumes.view", "networks.view", "registry.pull"]
OWNER = [
    *VIEWER,
    "hosts.manage", "hosts.enrol",
    "containers.operate", "containers.create", "containers.remove", "containers.exec", "containers.privileged",
    "secrets.read",
    "images.pull", "images.build", "images.remove",
    "volumes.manage", "networks.manage",
    "registry.push", "registry.manage",
    "orders.cancel", "audit.view",
]


def make(apps, schema_editor):
    Role, RoleRight = apps.get_model("accounts", "Role"), apps.get_model("accounts", "RoleRight")
    for name, title, rights in (("owner", "Administrator", OWNER), ("viewer", "Viewer", VIEWER)):
        role = Role.objects.create(name=name, title=title, builtin=True)
        RoleRight.objects.bulk_create([RoleRight(role=role, right=right) for right in rights])


def unmake(apps, schema_editor):
    apps.get_model("accounts", "Role").objects.filter(builtin=True).delete()


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunPython(make, unmake)]
