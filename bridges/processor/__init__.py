"""The batch processor: takes records from a log, delivers them to actors, commits what they did."""
