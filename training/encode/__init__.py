"""The verb that learns an encoder of a view's matrix."""
