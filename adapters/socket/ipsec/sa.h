// What charon says of its security associations and connections. Private to adapters/socket.
#ifndef REEVE_ADAPTERS_SOCKET_IPSEC_SA_H_
#define REEVE_ADAPTERS_SOCKET_IPSEC_SA_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reeve/adapters/socket/ip_address.h"

namespace reeve::socket_internal {

// A CHILD_SA: what carries packets.
struct ChildSa {
  std::string name;
  std::string unique_id;
  uint32_t reqid = 0;  // By which the kernel's policies name it; 0 if it has none.
  std::string state;
  std::string mode;                // "TUNNEL", "TRANSPORT"
  std::string protocol;            // "ESP", "AH"
  uint32_t spi_in = 0;             // 0 if it has none.
  std::string encryption;          // "AES_GCM_16"; empty without one
  std::string integrity;           // "HMAC_SHA2_256_128"; empty without one
  std::vector<std::string> local;  // Traffic selectors, as charon writes them.
  std::vector<std::string> remote;

  // It carries packets now: it is installed, and not replaced by another.
  bool installed() const;
  bool encrypts() const;
  // What it carries cannot be changed on its way.
  bool protects() const;
};

// An IKE_SA: with whom the keys were agreed.
struct IkeSa {
  std::string connection;  // The name of its configuration.
  std::string unique_id;
  std::string state;
  std::string local_host;
  std::string remote_host;
  std::string remote_id;  // Of the last round of authentication.
  std::string account;    // By which the peer proved itself by EAP or XAuth, if it is another
                          // than remote_id; else empty.
  std::vector<ChildSa> children;

  // The peer is authenticated, and the IKE_SA not replaced or being ended.
  bool established() const;
};

// The message of an event `list-sa`; nothing if it is malformed, or says something twice.
std::optional<IkeSa> ParseIkeSa(std::string_view message);

// How the peers of a connection prove who they are.
struct IkeConnection {
  std::string name;
  // Of each round: "public key", "pre-shared key", "EAP", "XAuth", "any"...
  std::vector<std::string> remote_classes;

  // Each round is by a key that belongs to the id itself. With EAP and XAuth the id is the name of
  // an account.
  bool by_keys_only() const;
};

// The message of an event `list-conn`; nothing if it is malformed, or says something twice.
std::optional<IkeConnection> ParseIkeConnection(std::string_view message);

// Whether a traffic selector has `address`: "10.0.0.0/8", "10.0.0.1..10.0.0.9", each perhaps with
// "[tcp/http]" behind it, which is not looked at: the kernel's policy decides on ports.
bool SelectorHas(std::string_view selector, const IpAddress& address);

}  // namespace reeve::socket_internal

#endif  // REEVE_ADAPTERS_SOCKET_IPSEC_SA_H_
