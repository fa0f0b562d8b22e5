"""The platform that a client asks for, against the one that an image is of."""

import pytest

from agent.engine.errors import Invalid, NotFound
from agent.engine.images.manifests import check_platform

IMAGE = {"os": "linux", "architecture": "arm64", "variant": "v8"}


@pytest.mark.parametrize("platform", ["", "linux/arm64", "linux/arm64/v8", "linux/aarch64", "arm64"])
def test_it_works(platform: str) -> None:
    check_platform(platform, "app", IMAGE)


@pytest.mark.parametrize("platform", ["linux/amd64", "windows/arm64", "linux/arm64/v9", "amd64"])
def test_another_platform_is_a_sign_to_pull(platform: str) -> None:
    with pytest.raises(NotFound, match=r"image with reference app was found but its platform \(linux/arm64/v8\) does"):
        check_platform(platform, "app", IMAGE)


@pytest.mark.parametrize("platform", ["bogus", "bogus/amd64", "a/b/c/d", "linux//"])
def test_what_is_no_platform(platform: str) -> None:
    with pytest.raises(Invalid):
        check_platform(platform, "app", IMAGE)
