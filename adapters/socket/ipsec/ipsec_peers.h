// Who an IPsec peer is, from strongSwan. Start here:
//
//   const absl::StatusOr<std::unique_ptr<reeve::IpsecPeers>> ipsec =
//       reeve::IpsecPeers::Create(reeve::IpsecPeers::Options());
//   reeve::PeerOptions options;
//   options.sources.push_back(ipsec->get());
//
// Needs CAP_NET_ADMIN, to read the kernel's policies, and access to charon's control socket.
#ifndef REEVE_ADAPTERS_SOCKET_IPSEC_IPSEC_PEERS_H_
#define REEVE_ADAPTERS_SOCKET_IPSEC_IPSEC_PEERS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/adapters/socket/peer_source.h"

namespace reeve {

// Names peers of TCP and UDP by what they proved to strongSwan's daemon charon (IKEv1, IKEv2), if
// nobody else can send in their name.
//
// An address proves nothing: charon knows who has which, and anybody may write it into a packet. So
// there is an identity only with proof of the path, all of:
//   1. charon has an IKE_SA that is established, with a CHILD_SA that is installed, of ESP or AH,
//      of tunnel or transport mode, whose traffic selectors have both ends
//   2. the kernel's inbound policy that decides on this flow (addresses, protocol, ports) requires
//      an SA of that CHILD_SA: by its `reqid`, mode, and the ends of a tunnel. The kernel drops
//      what comes otherwise. A policy of "level use", one without a reqid, and one for marked
//      packets or for an interface only, do not count
//   3. the kernel has that very SA: SPI, `reqid`, both hosts. Else charon is not the one that
//      manages this network namespace, or does ESP by itself (kernel-libipsec), past any policy
//   4. policies apply to what comes in over every interface: no sysctl `disable_policy` is set
//   5. no other identity has an SA of that `reqid`
// Where several CHILD_SAs cover the peer the kernel's policy says by which its packets come.
//
// Which identity, and what is made of it:
//   user   the name of the account by which the peer proved itself (EAP, XAuth); or an IKE id with
//          an `@`, of a peer that proved itself by a certificate or a shared key. `user:ada@example
//          .com`. A name without a realm gets Options::default_realm.
//   host   an IKE id that is a DNS name or an IP address, of a peer that proved itself by a
//          certificate or a shared key: `host:laptop7.example.com`, `host:10.98.0.2`.
// Letters are made small, for charon takes names without regard to case: else the peer could choose
// the spelling that no rule is against. An id of another form is kBadName: a certificate's subject
// (but see Options), a key id that is no name, one with `?`, by which charon writes what it cannot
// print. Of several rounds of authentication charon tells the last one only.
//
// The principal: assurance kCrypto, via "ipsec", groups_complete false for a user (nobody tells
// groups), host the name of a host. Evidence: "ike=3 child=office{7} reqid=1 conn=office
// policy=in:1088 id=laptop7.example.com ike-host=198.51.100.7".
// PeerIdentity::encrypted unless it is AH or ESP with a NULL cipher.
//
// What is not seen:
//   - what the socket received before the call, while there was no policy yet: a stranger may have
//     connected in clear text just before the SA came up. Keep a policy at all times for addresses
//     that identities belong to: `start_action = trap` for the children, or `ip xfrm policy` of
//     `action block` with a high priority number. Identify right after accept(2)
//   - a policy that this program itself set on the socket (IP_XFRM_POLICY), which the kernel uses
//     in place of the others, and does not show; RequireIpsec() sets one
//   - rules of this machine's packet filter that rewrite addresses (NAT): policies see a packet as
//     it was before
//
// Freshness: asked anew each time, about half a millisecond for charon and more for each thousand
// SAs; nothing is kept. An SA that goes down is gone for the next call; a token that exists keeps
// its identity. Rekeying does not change it.
//
// Errors of Identify():
//   NotFound         not TCP or UDP; a peer of this machine; no SA and no policy covers the peer
//   kUnproved        an SA covers the peer, and one of 2 to 4 is missing; or a datagram socket is
//                    bound to no address; or the configuration of the connection is gone from
//                    charon, so that it cannot be told how the peer proved itself
//   kAmbiguous       see 5
//   kBadName         the identity makes no principal
//   kStale           a policy requires IPsec of the peer, and no SA is there: it went down
//   kWrongNamespace  the socket is of another network namespace than the calling thread
//   kUnavailable     charon does not answer within Options::deadline, or not sensibly; its control
//                    socket is not to be trusted (another owner than root and this process's
//                    effective user, writable for others, a symbolic link); the kernel does not
//                    tell its policies. A server that names this source expects it to work: a
//                    charon that is down is an error, not a peer without IPsec
//
// Thread-safe. Blocks at most for Options::deadline.
// Source: src/libcharon/plugins/vici/README.md and vici_query.c of strongSwan 5.9.8, tried with it;
// for the kernel see xfrm_policy.h.
class IpsecPeers final : public PeerSource {
 public:
  struct Options {
    // Where charon is asked: `charon.plugins.vici.socket` without its "unix://". Debian's and most
    // others' default.
    std::string socket_path = "/run/charon.vici";
    // For all that is asked of charon for one peer. More than 0, at most 1 s.
    absl::Duration deadline = absl::Seconds(1);
    // What a user's name without `@` gets as its realm. Empty: such a user is kBadName, for
    // `user:root` would be this machine's.
    std::string default_realm;
    // Realms are made capital letters, as Kerberos has them: `user:ada@EXAMPLE.COM`.
    bool realm_in_capitals = false;
    // A certificate's subject is taken for the name of a host, whole and as charon writes it:
    // `host:C=CH, O=Example, CN=laptop7`. charon does not mark a comma within a value, so trust
    // the certification authority not to certify such values.
    bool subjects_are_hosts = false;
  };

  // InvalidArgument if `options` breaks a rule stated above, or the path is not absolute or too
  // long for a socket. Does not ask charon.
  static absl::StatusOr<std::unique_ptr<IpsecPeers>> Create(const Options& options);

  Mechanism mechanism() const override { return Mechanism::kIpsec; }
  absl::StatusOr<PeerIdentity> Identify(const SocketPeer& peer) const override;

 private:
  explicit IpsecPeers(const Options& options) : options_(options) {}

  const Options options_;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_IPSEC_IPSEC_PEERS_H_
