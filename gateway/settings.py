"""Settings: the base of every section of mailward.toml. A mechanism declares its own section beside its own code."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the configuration: typed, frozen, unknown keys refused. Durations are seconds, sizes are octets."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, use_attribute_docstrings=True)
