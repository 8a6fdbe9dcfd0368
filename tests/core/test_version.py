from importlib.metadata import version

import nf


def test_the_version_is_the_packages():
    assert version("naturalfinger") == nf.__version__


def test_images_are_called_after_it(pytestconfig):
    for path in ("docker/compose.yaml", "docker/env.example", "docs/docker.md"):
        assert f"naturalfinger:{nf.__version__}" in (pytestconfig.rootpath / path).read_text(), path
