"""The embedded log is two queues in one table, told apart by its column `handled`."""

LOG = "log"
"""The topic under which the offsets of what is read in its turn are kept: one for all topics."""
LEFT = "log:left"
"""The same, of what one worker left for another: the next steps of sagas that are under way."""

TO_READ, HANDLED, LEFT_FOR_OTHERS = range(3)
"""`handled`: what is read in its turn, what the batch that wrote it has handled too, and what comes
before everything new, so that sagas under way end before others begin."""
