"""Waking those who wait for a directory, and leaving nothing behind."""

import asyncio
import gc
import os
from pathlib import Path

from agent.engine.kernel.inotify import Watcher


async def test_it_wakes_on_write_create_and_rename(tmp_path: Path) -> None:
    watcher = Watcher()
    with watcher.watch(tmp_path) as one, watcher.watch(tmp_path) as two:
        for change in (
            lambda: (tmp_path / "a").write_text("x"),
            lambda: (tmp_path / "a").rename(tmp_path / "b"),
            lambda: (tmp_path / "b").open("a").write("more"),
        ):
            one.clear()
            two.clear()
            change()
            await asyncio.wait_for(asyncio.gather(one.wait(), two.wait()), 20)
    watcher.close()


async def test_others_are_left_alone(tmp_path: Path) -> None:
    watcher = Watcher()
    (tmp_path / "mine").mkdir()
    (tmp_path / "other").mkdir()
    with watcher.watch(tmp_path / "mine") as event:
        (tmp_path / "other" / "x").touch()
        await asyncio.sleep(0.05)
        assert not event.is_set()
    watcher.close()


async def test_a_directory_that_is_not_there_or_goes_away(tmp_path: Path) -> None:
    watcher = Watcher()
    with watcher.watch(tmp_path / "none") as event:
        assert not event.is_set()
    (tmp_path / "d").mkdir()
    with watcher.watch(tmp_path / "d") as event:
        (tmp_path / "d").rmdir()
        await asyncio.wait_for(event.wait(), 20)
    watcher.close()


async def test_a_thousand_watches_leave_no_descriptor(tmp_path: Path) -> None:
    watcher = Watcher()
    with watcher.watch(tmp_path):
        pass
    gc.collect()  # what earlier tests left to it is none of ours
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(1000):
        with watcher.watch(tmp_path):
            pass
    assert len(os.listdir("/proc/self/fd")) == before
    watcher.close()
    assert len(os.listdir("/proc/self/fd")) == before - 1
