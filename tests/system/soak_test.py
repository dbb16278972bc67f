"""What `make soak` does for an hour, for some seconds: enough to find file descriptors and threads that stay behind when clients
have gone, and memory that is lost with each call in large pieces."""

from soak import soak

soak(minutes=0.3)
