"""op -> the right that it needs, and the right to see what it did. Pure."""

from collections.abc import Mapping
from typing import Final

from controlplane.common import rights

RIGHT: Final[Mapping[str, str]] = {
    "container.create": rights.CONTAINERS_CREATE,
    "container.start": rights.CONTAINERS_OPERATE,
    "container.stop": rights.CONTAINERS_OPERATE,
    "container.restart": rights.CONTAINERS_OPERATE,
    "container.kill": rights.CONTAINERS_OPERATE,
    "container.pause": rights.CONTAINERS_OPERATE,
    "container.unpause": rights.CONTAINERS_OPERATE,
    "container.rename": rights.CONTAINERS_CREATE,
    "container.update": rights.CONTAINERS_CREATE,
    "container.remove": rights.CONTAINERS_REMOVE,
    "container.commit": rights.CONTAINERS_CREATE,
    "image.pull": rights.IMAGES_PULL,
    "image.build": rights.IMAGES_BUILD,
    "image.tag": rights.IMAGES_BUILD,
    "image.push": rights.IMAGES_BUILD,
    "image.remove": rights.IMAGES_REMOVE,
    "image.prune": rights.IMAGES_REMOVE,
    "volume.create": rights.VOLUMES_MANAGE,
    "volume.remove": rights.VOLUMES_MANAGE,
    "volume.prune": rights.VOLUMES_MANAGE,
    "network.create": rights.NETWORKS_MANAGE,
    "network.remove": rights.NETWORKS_MANAGE,
    "network.connect": rights.NETWORKS_MANAGE,
    "network.disconnect": rights.NETWORKS_MANAGE,
    "network.prune": rights.NETWORKS_MANAGE,
    "system.prune": rights.HOSTS_MANAGE,
    "host.refresh": rights.HOSTS_MANAGE,
}
VIEW: Final[Mapping[str, str]] = {
    "container": rights.CONTAINERS_VIEW,
    "image": rights.IMAGES_VIEW,
    "volume": rights.VOLUMES_VIEW,
    "network": rights.NETWORKS_VIEW,
    "host": rights.HOSTS_VIEW,
}
