"""Features between the layers in a folder."""

import gatsparse
from gatsparse.inference import infer, stage
from tests.inference.models import F


def test_rows_are_on_disk_before_the_state_counts_them(task, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "_SYNC_SECONDS", 0.0)
    unsynced, saved = 0, 0
    write, sync = stage.RowWriter.write, stage.RowWriter.sync
    save = stage.write_atomically

    def writes(writer, *rows):
        nonlocal unsynced
        unsynced += 1
        write(writer, *rows)

    def syncs(writer):
        nonlocal unsynced
        unsynced = 0
        sync(writer)

    def saves(*arguments):
        nonlocal saved
        assert unsynced == 0
        saved += 1
        save(*arguments)

    monkeypatch.setattr(stage.RowWriter, "write", writes)
    monkeypatch.setattr(stage.RowWriter, "sync", syncs)
    monkeypatch.setattr(stage, "write_atomically", saves)
    model = gatsparse.nn.PaperGAT(F, 8, 5, heads=4).double().eval()
    infer(model, *task, max_memory="1GB", folder=tmp_path)
    assert saved > model.num_layers
