"""The runtime: what compiled programs stand on while they run. `pool` runs tasks on threads, `buffers` keeps memory."""
