"""The simulator: real nodes on the doubles, a virtual clock, and faults, all from one seed; each history is checked.

`python -m scheduling.tests.simulation --seconds 60` plays histories; `--seed 17 --histories 1` plays one again.
"""
