#include "reeve/adapters/socket/ipsec/swan_testing.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "reeve/adapters/socket/ip_address.h"
#include "reeve/adapters/socket/peer.h"

namespace reeve {
namespace peer_testing {
namespace {

void Write(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << text;
}

sockaddr_in AddressOf(const std::string& ip, int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  std::memcpy(&address.sin_addr, IpAddress::Parse(ip)->bytes.data(), 4);
  return address;
}

bool Readable(int fd, int milliseconds) {
  pollfd one = {fd, POLLIN, 0};
  return poll(&one, 1, milliseconds) == 1;
}

int64_t Milliseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1000000;
}

// "<milliseconds>\t<who>\t<evidence>"
std::string Identify(int fd, const IpsecPeers& peers) {
  PeerOptions options;
  options.sources.push_back(&peers);
  const int64_t start = Milliseconds();
  const absl::StatusOr<PeerToken> token = PeerToken::FromSocket(fd, options);
  const int64_t took = Milliseconds() - start;
  if (token.ok()) {
    return absl::StrCat(took, "\t", ToString(token->principal().id),
                        token->secured() ? "" : " unsecured",
                        token->encrypted() ? " encrypted" : "", "\t", token->principal().evidence);
  }
  const std::optional<PeerError> error = PeerErrorOf(token.status());
  return absl::StrCat(took, "\t", error.has_value() ? std::string(ToString(*error)) : "?", ": ",
                      token.status().message(), "\t");
}

constexpr char kStrongswanConf[] = R"(
charon {
  load = random nonce pem pkcs1 pkcs8 x509 pubkey constraints aes sha1 sha2 hmac gcm kdf openssl drbg eap-identity eap-md5 md5 <kernel> socket-default vici
  install_virtual_ip = no
  filelog { l { path = <files>/log
    default = 1
    cfg = 1 } }
  plugins { vici { socket = unix://<files>/vici } }
}
swanctl { load = random pem pkcs1 pkcs8 x509 pubkey openssl sha1 sha2 }
)";

constexpr char kServerConf[] = R"(
connections { peer {
  version = 2
  local_addrs = 10.98.0.1
  proposals = aes128-sha256-ecp256
  <local>
  <remote>
  children { office {
    local_ts = <server>
    remote_ts = <client>
    mode = <mode>
    <reqid>
    esp_proposals = aes128gcm128, aes128-sha256, null-sha256 } }
} }
secrets {
  eap-alice { id = alice@REEVE.TEST
    secret = alice's }
  eap-bob { id = bob.smith
    secret = bob's }
  ike-laptop { id = laptop7.reeve.test
    secret = laptop's }
}
)";

constexpr char kClientConf[] = R"(
connections { <connection> {
  version = 2
  local_addrs = 10.98.0.2
  remote_addrs = 10.98.0.1
  proposals = aes128-sha256-ecp256
  <local>
  <remote>
  children { office {
    local_ts = <client>
    remote_ts = <server>
    mode = <mode>
    <reqid>
    esp_proposals = <proposals> } }
} }
secrets {
  eap-alice { id = Alice@REEVE.TEST
    secret = alice's }
  eap-bob { id = bob.smith
    secret = bob's }
  ike-laptop { id = server.reeve.test
    secret = laptop's }
}
)";

std::string ServerAuthentication(Proof proof) {
  const std::string by_key =
      proof == Proof::kSharedKey
          ? "local { auth = psk\n id = server.reeve.test }\n"
          : "local { auth = pubkey\n certs = server.reeve.test.pem\n id = server.reeve.test }\n";
  switch (proof) {
    case Proof::kCertificate:
      return by_key + "remote { auth = pubkey\n cacerts = ca.pem }\n";
    case Proof::kSharedKey:
      return by_key + "remote { auth = psk\n id = laptop7.reeve.test }\n";
    case Proof::kAccount:
      return by_key + "remote-1 { auth = pubkey\n cacerts = ca.pem }\n" +
             "remote-2 { auth = eap-md5\n eap_id = %any }\n";
    case Proof::kAccountAlone:
      return by_key + "remote { auth = eap-md5\n eap_id = %any }\n";
  }
  return "";
}

std::string ClientAuthentication(Proof proof, const std::string& host) {
  const std::string certificate =
      absl::StrCat("auth = pubkey\n certs = ", host, ".pem\n id = ", host, " }\n");
  const std::string server =
      "remote { auth = pubkey\n id = server.reeve.test\n cacerts = ca.pem }\n";
  switch (proof) {
    case Proof::kCertificate:
      return absl::StrCat("local { ", certificate, server);
    case Proof::kSharedKey:
      return "local { auth = psk\n id = Laptop7.Reeve.Test }\n"
             "remote { auth = psk\n id = server.reeve.test }\n";
    case Proof::kAccount:
      return absl::StrCat("local-1 { ", certificate,
                          "local-2 { auth = eap-md5\n id = Alice@REEVE.TEST\n"
                          " eap_id = Alice@REEVE.TEST }\n",
                          server);
    case Proof::kAccountAlone:
      return absl::StrCat("local { auth = eap-md5\n id = bob.smith\n eap_id = bob.smith }\n",
                          server);
  }
  return "";
}

}  // namespace

Swan::Swan(const SwanOptions& options)
    : server_ip_(options.tunnel ? "10.97.0.1" : "10.98.0.1"),
      client_ip_(options.tunnel ? "10.97.0.2" : "10.98.0.2") {
  Network::Join(server_, "va", "10.98.0.1/24", client_, "vb", "10.98.0.2/24");
  server_.Run({"ip", "addr", "add", "10.97.0.1/32", "dev", "lo"});
  client_.Run({"ip", "addr", "add", "10.97.0.2/32", "dev", "lo"});

  // A certification authority, and what it certifies.
  Write(files_ / "make", absl::StrReplaceAll(R"(set -e
cd <files>
new() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key; }
new ca
openssl req -x509 -new -key ca.key -out ca.pem -subj "/O=Reeve/CN=CA" -days 30
for name in server.reeve.test laptop7.reeve.test laptop8.reeve.test; do
  new $name
  openssl req -new -key $name.key -subj "/O=Reeve/CN=$name" -out $name.csr
  printf "subjectAltName=DNS:$name\n" >$name.ext
  openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile $name.ext -out $name.pem
done
for side in server client; do
  mkdir -p $side/x509 $side/x509ca $side/private
  cp ca.pem $side/x509ca
done
cp server.*.pem server/x509
cp server.*.key server/private
cp laptop*.pem client/x509
cp laptop*.key client/private
)",
                                             {{"<files>", files_.path()}}));
  server_.Run({"sh", files_ / "make"});

  const auto fill = [&](const char* text, const std::string& authentication,
                        const std::string& connection) {
    return absl::StrReplaceAll(text, {{"<local>", authentication},
                                      {"<remote>", ""},
                                      {"<connection>", connection},
                                      {"<server>", server_ip_ + "/32"},
                                      {"<client>", client_ip_ + "/32"},
                                      {"<mode>", options.tunnel ? "tunnel" : "transport"},
                                      {"<reqid>", options.reqid},
                                      {"<proposals>", options.esp_proposals}});
  };
  const Proof proof = options.proof;
  Configure("server", fill(kServerConf, ServerAuthentication(proof), "peer"), options);
  Configure("client",
            fill(kClientConf, ClientAuthentication(proof, "laptop7.reeve.test"), "peer") +
                fill(kClientConf, ClientAuthentication(proof, "laptop8.reeve.test"), "other"),
            options);
  const auto start = [&](const Network& network, const std::string& name) {
    return std::make_unique<Daemon>(
        network,
        std::vector<std::string>{
            "env", absl::StrCat("STRONGSWAN_CONF=", files_ / (name + "/strongswan.conf")),
            "/usr/lib/ipsec/charon", "--use-syslog", "no"},
        files_ / (name + "/out"));
  };
  server_.Run({"mkdir", "-p", "/run/lock"});
  client_.Run({"mkdir", "-p", "/run/lock"});
  server_charon_ = start(server_, "server");
  client_charon_ = start(client_, "client");
  for (const bool at_server : {true, false}) {
    const std::string socket = files_ / (at_server ? "server/vici" : "client/vici");
    EXPECT_TRUE(Eventually([&] { return access(socket.c_str(), F_OK) == 0; }, 60)) << Log();
    Control(at_server, {"--load-all"});
  }
}

Swan::~Swan() {
  if (testing::Test::HasFailure()) std::fprintf(stderr, "%s\n", Log().c_str());
}

void Swan::Configure(const std::string& name, const std::string& text, const SwanOptions& options) {
  Write(files_ / (name + "/swanctl.conf"), text);
  Write(files_ / (name + "/strongswan.conf"),
        absl::StrReplaceAll(kStrongswanConf, {{"<files>", files_ / name},
                                              {"<kernel>", options.esp == Esp::kUserSpace
                                                               ? "kernel-libipsec kernel-netlink"
                                                               : "kernel-netlink"}}));
}

std::string Swan::Control(bool at_server, const std::vector<std::string>& words) {
  const std::string folder = files_ / (at_server ? "server" : "client");
  std::vector<std::string> command = {"env",
                                      absl::StrCat("STRONGSWAN_CONF=", folder, "/strongswan.conf"),
                                      absl::StrCat("SWANCTL_DIR=", folder), "swanctl"};
  command.insert(command.end(), words.begin(), words.end());
  command.insert(command.end(), {"--uri", absl::StrCat("unix://", folder, "/vici")});
  return (at_server ? server_ : client_).Run(command);
}

void Swan::Up(const std::string& connection) {
  Control(false, {"--initiate", "--ike", connection, "--child", "office", "--timeout", "30"});
}

void Swan::Down(const std::string& connection) {
  Control(false, {"--terminate", "--ike", connection, "--timeout", "30"});
}

void Swan::SpoofInClearText() {
  client_.Run({"ip", "xfrm", "policy", "flush"});
  client_.Run({"ip", "rule", "add", "pref", "100", "to", "10.97.0.1", "lookup", "main"});
  client_.Run({"ip", "route", "add", "10.97.0.1", "via", "10.98.0.1", "src", "10.97.0.2"});
}

std::string Swan::Log() const {
  std::string text;
  for (const char* name : {"server/out", "server/log", "client/out", "client/log"}) {
    std::ifstream file(files_ / name);
    absl::StrAppend(&text, "--- ", name, "\n",
                    std::string(std::istreambuf_iterator<char>(file), {}));
  }
  return text;
}

std::unique_ptr<Swan::Connection> Swan::Connect(const IpsecPeers::Options& options) {
  return std::make_unique<Connection>(*this, options);
}

std::string Swan::WhoConnects(const IpsecPeers::Options& options) {
  Connection connection(*this, options);
  return connection.connected() ? connection.Who() : "no connection";
}

Swan::Connection::Connection(const Swan& swan, const IpsecPeers::Options& options) {
  server_ = swan.server().Start([&](const Child::Pipes& pipes) {
    const auto peers = IpsecPeers::Create(options);
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = AddressOf(swan.server_ip_, 0);
    socklen_t size = sizeof(address);
    if (!peers.ok() ||
        bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
        listen(listener, 1) != 0 ||
        getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      return 1;
    }
    pipes.Say(absl::StrCat(ntohs(address.sin_port)));
    // What is refused by a policy never comes: the client says whether it did.
    if (!pipes.Await() || !Readable(listener, 5000)) return 2;
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return 4;
    while (pipes.Await()) pipes.Say(Identify(fd, **peers));
    return 0;
  });
  int port = 0;
  if (!absl::SimpleAtoi(server_->Hear(), &port)) return;
  client_ = swan.client().Start([&](const Child::Pipes& pipes) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const sockaddr_in from = AddressOf(swan.client_ip_, 0);
    const sockaddr_in to = AddressOf(swan.server_ip_, port);
    int error = 0;
    if (bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof(from)) != 0) return 1;
    if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) {
      error = errno;
      pollfd writable = {fd, POLLOUT, 0};
      socklen_t size = sizeof(error);
      if (error == EINPROGRESS) {
        error = poll(&writable, 1, 4000) == 1 ? 0 : ETIMEDOUT;
        if (error == 0) getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
      }
    }
    pipes.Say(error == 0 ? "connected" : std::strerror(error));
    pipes.Await();
    return 0;
  });
  connected_ = client_->Hear() == "connected";
  if (connected_) server_->Go();
}

std::string Swan::Connection::Who(int* milliseconds) {
  server_->Go();
  const std::vector<std::string> parts = absl::StrSplit(server_->Hear(), '\t');
  if (parts.size() != 3) return "the server is gone";
  if (milliseconds != nullptr && !absl::SimpleAtoi(parts[0], milliseconds)) return "?";
  evidence_ = parts[2];
  return parts[1];
}

std::string WhyNoEsp() {
  const Network network;
  int status = 0;
  const std::string said =
      network.Try({"ip", "xfrm", "state", "add", "src", "10.0.0.1", "dst", "10.0.0.2", "proto",
                   "esp", "spi", "0x100", "mode", "transport", "aead", "rfc4106(gcm(aes))",
                   "0x2222222222222222222222222222222233333333", "128"},
                  &status);
  return status == 0 ? ""
                     : absl::StrCat("the kernel does no ESP (CONFIG_INET_ESP): ", said,
                                    "run //adapters/socket/ipsec:uml_test");
}

}  // namespace peer_testing
}  // namespace reeve
