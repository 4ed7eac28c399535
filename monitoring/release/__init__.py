"""Whether a staged challenger goes on, waits or goes: the gate of a release."""
