"""The WebSocket gateway: executes what `notifier.core.session` returns.

gateway          the parts together: start, loops, stop
services         what a connection uses of its gateway
connection       one socket: executes the session's effects, a turn at a time
turns            the greenlets that take the turns, only while there is work
deadlines        the deadlines of all sockets, in one timer wheel
transport        what a connection needs of a transport
websocket_transport  one WebSocket: frames in and out, pings, a clean close; never waits
writer           sends complete frames, and keeps what a slow reader does not read yet
takeover         takes a socket over from Flask-Sock's handler
handshake        which requests for an upgrade are refused
sendall_socket   the socket for Flask-Sock's handshake
admission        how many sockets there may be
hub              the connected users: one subscription for each, shared by their sockets
local_first      publishes to this process's own sockets, then to the broker
snapshots        the snapshots with which sockets start, read for several at once
acks, presence   write-behind buffers: what devices acked; which sockets opened and closed
revocation_list  whose tokens are revoked

The route `/ws` is in `web/socket_route.py`.
"""

from web.gateway.gateway import Gateway

__all__ = ["Gateway"]
