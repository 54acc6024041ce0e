"""Runs several worker processes under one supervisor, and restarts those that die.

The supervisor is an actor in the first process (`order-sagas start`). Each child process is
represented there by a `WorkerProcess` actor, which owns the process and exchanges plain data
(msgspec) with it over an inherited socket pair. `order-sagas status` and `order-sagas stop` reach
the supervisor by a Unix socket that only its owner may open. No network port is opened for any of
this.

    supervised_run   called by `start`: starts the supervisor and waits for the end of the run
    supervisor       the actor that starts, restarts (with backoff) and stops the processes
    worker_process   the actor that owns one child process
    child_process    an operating system process and the channel to it
    child_main       the entry point of a child: runs a Worker or an HttpProcess
    channel          length-prefixed msgspec messages on a stream socket
    messages         the messages on channels and on the control socket
    control_socket   the Unix socket that answers `status` and `stop`
    control_client   the client of that socket, used by `status` and `stop`
    run_registry     the folder of a run, its lock, and the registration that `status` and `stop`
    read
"""
