"""Containers as JSON, and the bodies that change them."""

from typing import Any

from rest_framework import serializers

from controlplane.common.lists import ListQuery
from controlplane.common.rights import SECRETS_READ
from controlplane.common.serializers import Query, Repeated, Strict
from controlplane.containers.models import Container, ContainerState, Health
from controlplane.containers.spec import LIMITS, masked_env
from controlplane.orders.serializers import OnHostJson, OrderOptions

BATCH_VERBS = ["start", "stop", "restart", "kill", "pause", "unpause", "remove"]


class ContainerQuery(ListQuery):
    """Filters of the list of containers."""

    host = Repeated()
    name = Repeated()
    state = Repeated(serializers.ChoiceField(choices=ContainerState.values))
    health = Repeated(serializers.ChoiceField(choices=["none", *[v for v in Health.values if v]]))
    stack = Repeated()
    image = Repeated()
    label = Repeated()  # type: ignore[assignment]
    network = Repeated()


class ImageBrief(serializers.Serializer[Any]):
    """What it was made from."""

    reference = serializers.CharField(source="image_reference")
    digest = serializers.CharField(source="image_digest")


class Port(serializers.Serializer[Any]):
    """A port, published if it has a host port."""

    container_port = serializers.IntegerField()
    protocol = serializers.CharField()
    host_ip = serializers.CharField(required=False)
    host_port = serializers.IntegerField(required=False)


class ContainerRow(OnHostJson[Container]):
    """A container in the list."""

    image = ImageBrief(source="*")
    ports = Port(many=True)
    stack = serializers.SerializerMethodField()
    addresses = serializers.ListField(child=serializers.CharField())
    network_names = serializers.SerializerMethodField()

    class Meta:
        model = Container
        fields = [
            "id", "name", "engine_id", "host", "image", "command", "state", "health", "exit_code", "oom_killed",
            "ports", "stack", "labels", "addresses", "network_names", "desired_state", "problem", "created_at",
            "started_at", "finished_at", "observed_at", "removed_at", "pending_order", "cpu_percent", "memory_bytes",
            "restart_count", "version", "rights",
        ]  # fmt: skip

    def get_stack(self, container: Container) -> str | None:
        """The compose project that it belongs to."""
        stack: str | None = container.labels.get("com.docker.compose.project")
        return stack

    def get_network_names(self, container: Container) -> list[str]:
        """Its networks."""
        return sorted(container.networks)


class LastExit(serializers.Serializer[Any]):
    """Why it ended."""

    code = serializers.IntegerField(allow_null=True)
    signal = serializers.IntegerField(allow_null=True)
    oom_killed = serializers.BooleanField()
    error = serializers.CharField()
    at = serializers.DateTimeField(allow_null=True)
    ran_for = serializers.FloatField(allow_null=True)
    log_tail = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    log_kept = serializers.BooleanField()
    order = serializers.DictField(allow_null=True)
    actor = serializers.DictField(allow_null=True)


class ContainerDetail(ContainerRow):
    """One container."""

    spec = serializers.SerializerMethodField()
    mounts = serializers.ListField(child=serializers.DictField())
    networks = serializers.DictField(child=serializers.DictField())
    health_log = serializers.ListField(child=serializers.DictField())
    last_exit = LastExit(allow_null=True)
    limits = serializers.SerializerMethodField()
    restart_policy = serializers.SerializerMethodField()

    class Meta(ContainerRow.Meta):
        fields = [
            *ContainerRow.Meta.fields, "spec", "mounts", "networks", "health_log", "last_exit", "limits",
            "restart_policy",
        ]  # fmt: skip

    def get_spec(self, container: Container) -> dict[str, Any] | None:
        """As the user wrote it; environment without values for who may not read secrets."""
        spec = container.spec
        if spec is None or not spec.get("Env") or self.context["access"].on(SECRETS_READ, container.host_id):
            return spec
        return {**spec, "Env": masked_env(spec["Env"])}

    def get_limits(self, container: Container) -> dict[str, Any]:
        """What the engine holds it to."""
        host_config = (container.inspect or {}).get("HostConfig") or {}
        return {name: host_config[name] for name in LIMITS if host_config.get(name) not in {None, 0, "", -1}}

    def get_restart_policy(self, container: Container) -> dict[str, Any]:
        """In Docker's names."""
        return ((container.inspect or {}).get("HostConfig") or {}).get("RestartPolicy") or {}


class ContainerCreate(OrderOptions):
    """Body of POST containers/."""

    host = serializers.CharField(max_length=64, help_text="Id or name")
    image = serializers.CharField(max_length=512)
    name = serializers.CharField(max_length=128, required=False, allow_blank=True, default="")
    pull = serializers.ChoiceField(choices=["missing", "always", "never"], default="missing")
    platform = serializers.CharField(max_length=64, required=False, allow_blank=True, default="")
    start = serializers.BooleanField(default=True)
    spec = serializers.DictField(default=dict, help_text="Docker's ContainerCreate, in Docker's names, without Image")


class RestartPolicy(Strict):
    """In Docker's names."""

    Name = serializers.ChoiceField(choices=["no", "always", "on-failure", "unless-stopped"])
    MaximumRetryCount = serializers.IntegerField(min_value=0, required=False)


class ContainerChange(OrderOptions):
    """Body of PATCH: what changes in place."""

    name = serializers.CharField(max_length=128, required=False)
    limits = serializers.DictField(required=False, help_text=f"Docker's names: {', '.join(LIMITS)}")
    restart_policy = RestartPolicy(required=False)


class StopOptions(OrderOptions):
    """Body of stop and restart."""

    timeout = serializers.IntegerField(min_value=0, max_value=3600, required=False)
    signal = serializers.RegexField(r"^(SIG)?[A-Z0-9+-]{1,10}$", required=False)


class KillOptions(OrderOptions):
    """Body of kill."""

    signal = serializers.RegexField(r"^(SIG)?[A-Z0-9+-]{1,10}$", required=False)


class Rename(OrderOptions):
    """Body of rename."""

    name = serializers.CharField(max_length=128)


class Commit(OrderOptions):
    """Body of commit."""

    reference = serializers.CharField(max_length=255)
    author = serializers.CharField(max_length=255, required=False)
    comment = serializers.CharField(max_length=1000, required=False)
    pause = serializers.BooleanField(required=False)


class RemoveQuery(Query):
    """Parameters of DELETE."""

    force = serializers.BooleanField(default=False)
    volumes = serializers.BooleanField(default=False)
    not_after = serializers.DateTimeField(required=False)


class BatchOptions(Strict):
    """Options of a batch's verb."""

    timeout = serializers.IntegerField(min_value=0, max_value=3600, required=False)
    signal = serializers.RegexField(r"^(SIG)?[A-Z0-9+-]{1,10}$", required=False)
    force = serializers.BooleanField(required=False)
    volumes = serializers.BooleanField(required=False)


class BatchBody(OrderOptions):
    """Body of POST containers/batch/."""

    action = serializers.ChoiceField(choices=BATCH_VERBS)
    ids = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=500)
    options = BatchOptions(required=False)
