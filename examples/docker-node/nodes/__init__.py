"""The nodes of docker-node."""
