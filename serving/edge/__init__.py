"""Around every call: who may ask, how it is counted, how it is refused."""
