"""Bugs that are put into the product for the rig to find; each is an app that replaces one step when it is ready."""
