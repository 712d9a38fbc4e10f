"""The golden event file of `ilab-train`: written by TensorBoard's own writer, and read back by its own reader.

Run: python goldens/tensorboard/gen.py     (tensorboard==2.21.0, protobuf==7.36.2)
Writes: goldens/tensorboard/resumed.tfevents

With folders as arguments it prints what TensorBoard reads from event files of ours in them, tag by tag.
"""

import pathlib
import sys
import tempfile

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

HERE = pathlib.Path(__file__).parent


def scalars(**values):
    return Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])


EVENTS = [
    Event(wall_time=1_700_000_000.5, step=2, file_version="brain.Event:2"),
    Event(wall_time=1_700_000_000.5, step=3, session_log=SessionLog(status=SessionLog.START)),
    Event(wall_time=1_700_000_001.25, step=3, summary=scalars(avg_loss=2.25, lr=1e-5)),
    Event(wall_time=1_700_000_002.0, step=300, summary=scalars(val_loss=0.0, größe=-1.5e30)),
]


def read(folder):
    accumulator = EventAccumulator(str(folder))
    accumulator.Reload()
    return {
        tag: [(event.step, round(event.value, 6)) for event in accumulator.Scalars(tag)]
        for tag in accumulator.Tags()["scalars"]
    }


def main():
    path = HERE / "resumed.tfevents"
    with path.open("wb") as file:
        writer = RecordWriter(file)
        for event in EVENTS:
            writer.write(event.SerializeToString())
        writer.flush()
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "events.out.tfevents.1700000000.host").write_bytes(path.read_bytes())
        found = read(folder)
    assert found["avg_loss"] == [(3, 2.25)], found
    assert found["val_loss"] == [(300, 0.0)], found
    assert found["lr"] == [(3, 1e-05)], found


if len(sys.argv) > 1:
    for folder in sys.argv[1:]:
        for tag, values in read(folder).items():
            print(tag, values)
else:
    main()
