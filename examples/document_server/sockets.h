#ifndef REEVE_EXAMPLES_DOCUMENT_SERVER_SOCKETS_H_
#define REEVE_EXAMPLES_DOCUMENT_SERVER_SOCKETS_H_

#include <string>

// Sockets to listen on and to connect by. Each function returns a descriptor that the caller owns,
// or -1 with *error set. Nothing here is about authorization.
namespace document_server {

// A listening socket at `path` that every local user may connect to. What a server that is gone
// left at `path` is removed. A server that still listens there, or anything else than a socket, is
// an error.
int Listen(const std::string& path, std::string* error);

// A connection to the server at `path`.
int Connect(const std::string& path, std::string* error);

// A TCP socket that listens on `address`, "127.0.0.1:7000" or "[::1]:7000"; port 0 is any that is
// free.
int ListenTcp(const std::string& address, std::string* error);

// A TCP connection to `address`, whose host may be a name: "db.example.com:7000".
int ConnectTcp(const std::string& address, std::string* error);

// The host of such an address, without brackets; empty if it is none.
std::string HostOf(const std::string& address);

// The ends of a TCP socket, as above; "?" if it has none.
std::string LocalAddress(int fd);
std::string PeerAddress(int fd);

}  // namespace document_server

#endif  // REEVE_EXAMPLES_DOCUMENT_SERVER_SOCKETS_H_
