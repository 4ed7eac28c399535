"""The sources: each module declares one under `@source`."""
