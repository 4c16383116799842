// strongSwan in networks of its own, for tests.
#ifndef REEVE_ADAPTERS_SOCKET_IPSEC_SWAN_TESTING_H_
#define REEVE_ADAPTERS_SOCKET_IPSEC_SWAN_TESTING_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "reeve/adapters/socket/ipsec/ipsec_peers.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace peer_testing {

// Who does ESP.
enum class Esp { kKernel, kUserSpace };

// How the client proves who it is.
enum class Proof {
  kCertificate,   // laptop7.reeve.test
  kSharedKey,     // Laptop7.Reeve.Test: a host's name in another spelling
  kAccount,       // by certificate, then EAP-MD5 as Alice@REEVE.TEST
  kAccountAlone,  // EAP-MD5 as bob.smith, with that name as the IKE id, too
};

struct SwanOptions {
  Proof proof = Proof::kCertificate;
  Esp esp = Esp::kKernel;
  bool tunnel = true;
  // Of the client's children.
  std::string esp_proposals = "aes128gcm128";
  std::string reqid;  // "reqid = 7", at both ends; empty: charon chooses.
};

// Two machines, `server` and `client`, joined by an Ethernet, each with a charon. The ends of a
// tunnel are 10.98.0.1 and 10.98.0.2, within it are 10.97.0.1 and 10.97.0.2. In transport mode
// there are the former only.
//
// One thread at a time.
class Swan {
 public:
  explicit Swan(const SwanOptions& options);
  ~Swan();

  const Network& server() const { return server_; }
  const Network& client() const { return client_; }
  Daemon& charon() { return *server_charon_; }
  // Of the server's charon.
  std::string vici() const { return files_ / "server/vici"; }

  // Establishes `connection` ("peer", or "other", which is another client's at the same address)
  // from the client, or fails the test.
  void Up(const std::string& connection = "peer");
  void Down(const std::string& connection = "peer");
  // swanctl at the server, or the client.
  std::string Control(bool at_server, const std::vector<std::string>& words);

  // What the server makes of a TCP connection from the client: "user:ada@example.com encrypted", or
  // "unproved: why".
  std::string WhoConnects(const IpsecPeers::Options& options);
  // A client that stays connected.
  class Connection;
  std::unique_ptr<Connection> Connect(const IpsecPeers::Options& options);

  // Sends what is for 10.97.0.1 past the tunnel, in clear text and from 10.97.0.2.
  void SpoofInClearText();

  std::string Log() const;

 private:
  void Configure(const std::string& name, const std::string& text, const SwanOptions& options);

  TempDirectory files_;
  std::string server_ip_;
  std::string client_ip_;
  Network server_;
  Network client_;
  std::unique_ptr<Daemon> server_charon_;
  std::unique_ptr<Daemon> client_charon_;
};

// A TCP connection from the client to the server.
class Swan::Connection {
 public:
  Connection(const Swan& swan, const IpsecPeers::Options& options);

  // Whether it came to be.
  bool connected() const { return connected_; }
  // Who the server says the client is, now; and in `*milliseconds`, if it is not null, how long it
  // took to say so.
  std::string Who(int* milliseconds = nullptr);
  // What the token's principal has as evidence; empty if there is no token.
  std::string evidence() const { return evidence_; }

 private:
  std::unique_ptr<Child> server_;
  std::unique_ptr<Child> client_;
  bool connected_ = false;
  std::string evidence_;
};

// Empty if the running kernel does ESP, else why not.
std::string WhyNoEsp();

}  // namespace peer_testing
}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_IPSEC_SWAN_TESTING_H_
