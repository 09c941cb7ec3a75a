"""An app in whose presence `runscheduler` runs on a machine whose clock is wrong."""
