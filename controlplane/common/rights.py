"""Every right there is. A role is rows of these; a view names the one it needs."""

HOSTS_VIEW = "hosts.view"
HOSTS_MANAGE = "hosts.manage"
HOSTS_ENROL = "hosts.enrol"
CONTAINERS_VIEW = "containers.view"
CONTAINERS_OPERATE = "containers.operate"
CONTAINERS_CREATE = "containers.create"
CONTAINERS_REMOVE = "containers.remove"
CONTAINERS_LOGS = "containers.logs"
CONTAINERS_EXEC = "containers.exec"
CONTAINERS_PRIVILEGED = "containers.privileged"
SECRETS_READ = "secrets.read"
IMAGES_VIEW = "images.view"
IMAGES_PULL = "images.pull"
IMAGES_BUILD = "images.build"
IMAGES_REMOVE = "images.remove"
VOLUMES_VIEW = "volumes.view"
VOLUMES_MANAGE = "volumes.manage"
NETWORKS_VIEW = "networks.view"
NETWORKS_MANAGE = "networks.manage"
REGISTRY_PULL = "registry.pull"
REGISTRY_PUSH = "registry.push"
REGISTRY_MANAGE = "registry.manage"
ORDERS_CANCEL = "orders.cancel"
AUDIT_VIEW = "audit.view"

ALL = frozenset(
    value for name, value in list(globals().items()) if name.isupper() and name != "ALL" and isinstance(value, str)
)
VIEWER = frozenset(
    {
        HOSTS_VIEW,
        CONTAINERS_VIEW,
        CONTAINERS_LOGS,
        IMAGES_VIEW,
        VOLUMES_VIEW,
        NETWORKS_VIEW,
        REGISTRY_PULL,
    }
)
"""The built-in roles' rights; owner has ALL."""

# What works on one host can be granted for one host; these concern the whole installation.
GLOBAL = frozenset({HOSTS_ENROL, REGISTRY_PULL, REGISTRY_PUSH, REGISTRY_MANAGE, AUDIT_VIEW})
