"""Several workers under one supervisor: each in a process of its own, started again if it dies."""
