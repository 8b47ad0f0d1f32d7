# SPDX-License-Identifier: Apache-2.0
"""Real Asterisks for the live tests: started once a run, shared by the tests of a release."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lab.pbx.chroot import RELEASES, find
from lab.pbx.ports import free_tcp
from lab.pbx_with_phones import PbxWithPhones, pbx_with_phones
from lab.site import LabSite
from tests.kits import pace
from tests.kits.live_kit import REQUIRED, SiteMaker


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder as live; skip it, with the reason, where it cannot run."""
    missing = [name for name in RELEASES if find(name) is None]
    for item in items:
        if Path(__file__).parent not in item.path.parents:
            continue
        item.add_marker(pytest.mark.live)
        if missing and not REQUIRED:
            why = f"no real Asterisk {', '.join(missing)} on this machine: run make test as root"
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session", autouse=True)
def machine_measured() -> Iterator[None]:
    """Let `in_time` know how busy the machine is."""
    with pace.measured():
        yield


@pytest.fixture(scope="session")
def pbx_of() -> Iterator[Callable[[str, str], PbxWithPhones]]:
    """Return what starts a PBX the first time it is asked for, and keeps it for the session."""
    with ExitStack() as stack:
        running: dict[tuple[str, str], PbxWithPhones] = {}

        def get(release: str, features: str = "features.conf") -> PbxWithPhones:
            key = (release, features)
            if key not in running:
                running[key] = stack.enter_context(
                    pbx_with_phones(release, fastagi=f"127.0.0.1:{free_tcp()}", features=features,
                        label=features.removesuffix(".conf"))
                )  # fmt: skip
            return running[key]

        yield get


@pytest.fixture
def site(pbx_of: Callable[[str, str], PbxWithPhones], tmp_path: Path) -> SiteMaker:
    """Return what lays a site around a PBX: `async with site("22") as here`."""

    def make(release: str = "22", features: str = "features.conf", **more: Any) -> LabSite:
        return LabSite(pbx_of(release, features), tmp_path, **more)

    return make
