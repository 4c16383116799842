// Who a peer that comes through a WireGuard tunnel is:
//
//   reeve::WireguardPeersOptions options;
//   options.devices = {"wg0"};
//   options.names = {{"jNQKmw+IF4llmxOlGRPGQV3wFwCTJfXn6dEW2V3RDRQ=", "laptop-7.example.com"}};
//   auto wireguard = reeve::WireguardPeers::Create(options);
//
//   reeve::RequireDevice(listener, "wg0");  // require_device.h; before bind()
//
// and `wireguard->get()` among PeerOptions::sources.
#ifndef REEVE_ADAPTERS_SOCKET_WIREGUARD_WIREGUARD_PEERS_H_
#define REEVE_ADAPTERS_SOCKET_WIREGUARD_WIREGUARD_PEERS_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/adapters/socket/peer_source.h"

namespace reeve {

struct WireguardPeersOptions {
  // Required: the devices this speaks for, by name. Each must be WireGuard's whenever a peer is
  // identified; if one is not, or is gone, peers that could be its are refused.
  std::vector<std::string> devices;
  // The hosts of public keys, as wg(8) writes keys. Two keys may be one host's.
  std::map<std::string, std::string> names;
  // Where the programs that are WireGuard in user space have their sockets, `<device>.sock`. Not
  // used where the kernel has WireGuard.
  std::string run_directory = "/var/run/wireguard";
  // The longest that an Identify() waits for such programs, all together. Must be > 0 and at most
  // an hour.
  absl::Duration deadline = absl::Seconds(1);
};

// Which host a peer is, by the public key whose allowed addresses cover the peer's.
//
// The principal, a host:
//   id          `host:laptop-7.example.com`; `host:wg:<public key>` if `names` has none for the key
//   parents     `host:wg:<public key>`, if the id is another: a rule about it holds whatever
//               `names` has
//   groups      none, and complete
//   attributes  public_key  string, as wg(8) writes it
//   assurance   kCrypto
//   via         "wireguard"
//   host        the id without the type
//   evidence    "device=wg0 key=<public key> allowed-ip=10.9.0.2/32 handshake=1700000000": the
//               device, the prefix that covers the peer's address, and when the peer last proved
//               that it has the key, in seconds of Unix time by this machine's clock
//
// What is proved. A WireGuard device lets a packet in only if it was encrypted by the peer to whose
// allowed addresses its source belongs. An address alone shows nothing: packets with that source
// may come in clear text by any other device, and are not kept out by WireGuard, nor surely by
// rp_filter, which is off by default, looser than that, and not told to a program. So the socket
// must be bound to the device (SO_BINDTODEVICE), which it inherits from its listener: then nothing
// reaches it that came by another device. It shows the host that has the key. Behind a peer whose
// allowed addresses are a whole network, other machines use its name.
//
// What it rests on. Who has CAP_NET_ADMIN or CAP_NET_RAW in the network namespace can send in the
// name of any peer, to sockets bound to the device, too: a raw packet to this machine's own address
// on the device counts as received by it. The same goes for who may configure the device, among
// them who may write to the program's socket. The program itself is believed if root or this
// process's user runs it, and if the device ends with it and is its alone: a TUN device that is
// persistent or has several queues may be fed by others.
//
// Which device is asked about is decided by its index in the socket's network namespace, not by the
// name for which a socket was bound: if `wg0` is deleted and made again, sockets that were bound
// before are refused. A program is asked only if it made its socket in the socket's network
// namespace. Moving its TUN device to another namespace afterwards is not supported (sockets there
// are refused), and in the one it left, no other TUN device should get its name: that program would
// be asked about it. Kernel devices can be moved.
//
// Freshness: the configuration is read anew at each call, and is not kept. If an allowed address
// moves from one peer to another, then the identity changes at the next call, also that of
// connections that stand: what they received before came from the former peer. End those when you
// move an address. The age of the handshake is not judged, since an idle connection needs none; but
// a peer that never had one has sent nothing, and is refused. How the socket is bound is as of
// the call. A datagram socket that was bound to the device after bind(2) may hold datagrams that
// came in before: RequireDevice() does not let that happen.
//
// Source: wireguard.com/xplatform; linux/wireguard.h; socket(7), SO_BINDTODEVICE; net/ipv4 and
// drivers/net/tun.c of Linux 6.18. wireguard_peers_test.cc shows it with wireguard-go; with the
// kernel's WireGuard only what the kernel would answer has been tried.
//
// Thread-safe. It keeps netlink sockets for each thread that asks.
class WireguardPeers final : public PeerSource {
 public:
  // InvalidArgument if `options` breaks a rule stated above.
  static absl::StatusOr<std::unique_ptr<WireguardPeers>> Create(
      const WireguardPeersOptions& options);

  Mechanism mechanism() const override { return Mechanism::kWireguard; }

  // Errors: NotFound         the peer is on this machine, or no device here lets anybody send as
  //                          its address, and the socket is bound to none of them
  //         kUnproved        a device lets somebody send as the address, and the socket is not
  //                          bound to it; or it is, and the device lets nobody; or the peer never
  //                          had a handshake
  //         kAmbiguous       two peers have the address
  //         kWrongNamespace  the socket, or the device's program, is of another network namespace
  //                          than this thread
  //         kUnavailable     a device is gone, is not WireGuard's, may not be read (the kernel's
  //                          need CAP_NET_ADMIN, and programs mostly want root), or its program may
  //                          not be believed or did not answer in time
  // If the socket is bound to a device of `options.devices`, only that one is asked, else each.
  // Blocks for `options.deadline` at most.
  absl::StatusOr<PeerIdentity> Identify(const SocketPeer& peer) const override;

 private:
  explicit WireguardPeers(const WireguardPeersOptions& options) : options_(options) {}

  const WireguardPeersOptions options_;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_WIREGUARD_WIREGUARD_PEERS_H_
