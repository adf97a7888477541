"""A step in Python: an Arrow table comes in, an Arrow table goes out."""

import pyarrow as pa
import pyarrow.compute as pc


def rate(readings: pa.Table) -> pa.Table:
    """How the room feels, by the smoothed temperature."""
    mean = readings["mean_of_three"]
    comfort = pc.case_when(pc.make_struct(pc.less(mean, 18), pc.greater(mean, 25)), "cold", "warm", "good")
    return readings.append_column("comfort", comfort)
