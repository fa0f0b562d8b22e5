"""Folders on their way out."""

from agent.engine.storage.trash import Trash


async def test_it_works(tmp_path):
    trash = Trash(tmp_path / "trash")
    (tmp_path / "old/deep").mkdir(parents=True)
    trash.throw(tmp_path / "old")
    assert not (tmp_path / "old").exists()
    trash.throw(tmp_path / "old")
    await trash.settled()
    assert list((tmp_path / "trash").iterdir()) == []


async def test_what_was_left_goes_after_the_next_start(tmp_path):
    (tmp_path / "trash/left/deep").mkdir(parents=True)
    trash = Trash(tmp_path / "trash")
    await trash.settled()
    assert list((tmp_path / "trash").iterdir()) == []
