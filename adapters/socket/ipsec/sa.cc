#include "reeve/adapters/socket/ipsec/sa.h"

#include <algorithm>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "reeve/adapters/socket/ipsec/vici.h"

namespace reeve::socket_internal {
namespace {

using Element = ViciReader::Element;

absl::string_view Abseil(std::string_view text) { return {text.data(), text.size()}; }

// Sets what was not set yet. Nothing is said as an empty text, so that is taken for twice, too.
bool SetOnce(std::string_view value, std::string* to) {
  if (!to->empty()) return false;
  to->assign(value);
  return true;
}

bool SetOnce(std::string_view value, uint32_t* to) {
  uint32_t number;
  if (*to != 0 || !absl::SimpleAtoi(Abseil(value), &number)) return false;
  *to = number;
  return true;
}

bool SetHexOnce(std::string_view value, uint32_t* to) {
  uint32_t number;
  if (*to != 0 || !absl::SimpleHexAtoi(Abseil(value), &number)) return false;
  *to = number;
  return true;
}

bool TakeIkeValue(std::string_view name, std::string_view value, IkeSa* sa) {
  if (name == "uniqueid") return SetOnce(value, &sa->unique_id);
  if (name == "state") return SetOnce(value, &sa->state);
  if (name == "local-host") return SetOnce(value, &sa->local_host);
  if (name == "remote-host") return SetOnce(value, &sa->remote_host);
  if (name == "remote-id") return SetOnce(value, &sa->remote_id);
  if (name == "remote-eap-id" || name == "remote-xauth-id") return SetOnce(value, &sa->account);
  return true;
}

bool TakeChildValue(std::string_view name, std::string_view value, ChildSa* child) {
  if (name == "name") return SetOnce(value, &child->name);
  if (name == "uniqueid") return SetOnce(value, &child->unique_id);
  if (name == "reqid") return SetOnce(value, &child->reqid);
  if (name == "state") return SetOnce(value, &child->state);
  if (name == "mode") return SetOnce(value, &child->mode);
  if (name == "protocol") return SetOnce(value, &child->protocol);
  if (name == "spi-in") return SetHexOnce(value, &child->spi_in);
  if (name == "encr-alg") return SetOnce(value, &child->encryption);
  if (name == "integ-alg") return SetOnce(value, &child->integrity);
  return true;
}

}  // namespace

bool ChildSa::installed() const {
  // REKEYING: it is in use until the next one is installed. REKEYED, DELETING: the next one is.
  return state == "INSTALLED" || state == "UPDATING" || state == "REKEYING";
}

bool ChildSa::encrypts() const {
  return protocol == "ESP" && !encryption.empty() && !absl::StartsWith(encryption, "NULL");
}

bool ChildSa::protects() const {
  if (protocol == "AH") return !integrity.empty();
  if (protocol != "ESP") return false;
  return !integrity.empty() || absl::StrContains(encryption, "GCM") ||
         absl::StrContains(encryption, "CCM") || absl::StrContains(encryption, "GMAC") ||
         absl::StrContains(encryption, "POLY1305");
}

bool IkeSa::established() const { return state == "ESTABLISHED" || state == "REKEYING"; }

std::optional<IkeSa> ParseIkeSa(std::string_view message) {
  // {<connection> {uniqueid = ..., child-sas {<name> {reqid = ..., local-ts [...]}}}}
  IkeSa sa;
  bool in_children = false;
  ViciReader reader(message);
  while (reader.Next()) {
    bool taken = true;
    switch (reader.element()) {
      case Element::kSectionStart:
        if (reader.depth() == 1) {
          taken = SetOnce(reader.name(), &sa.connection);
        } else if (reader.depth() == 2) {
          in_children = reader.name() == "child-sas";
        } else if (reader.depth() == 3 && in_children) {
          sa.children.emplace_back();
        }
        break;
      case Element::kKeyValue:
        if (reader.depth() == 1) {
          taken = TakeIkeValue(reader.name(), reader.value(), &sa);
        } else if (reader.depth() == 3 && in_children) {
          taken = TakeChildValue(reader.name(), reader.value(), &sa.children.back());
        }
        break;
      case Element::kListItem:
        if (reader.depth() == 3 && in_children) {
          if (reader.name() == "local-ts") sa.children.back().local.emplace_back(reader.value());
          if (reader.name() == "remote-ts") sa.children.back().remote.emplace_back(reader.value());
        }
        break;
      case Element::kSectionEnd:
      case Element::kListStart:
      case Element::kListEnd:
        break;
    }
    if (!taken) return std::nullopt;
  }
  if (reader.malformed() || sa.connection.empty()) return std::nullopt;
  return sa;
}

bool IkeConnection::by_keys_only() const {
  return !remote_classes.empty() &&
         std::all_of(remote_classes.begin(), remote_classes.end(), [](const std::string& name) {
           return name == "public key" || name == "pre-shared key";
         });
}

std::optional<IkeConnection> ParseIkeConnection(std::string_view message) {
  // {<name> {version = ..., local-1 {...}, remote-1 {class = ...}, children {...}}}
  IkeConnection connection;
  bool in_remote = false;
  ViciReader reader(message);
  while (reader.Next()) {
    if (reader.element() == Element::kSectionStart && reader.depth() == 1) {
      if (!SetOnce(reader.name(), &connection.name)) return std::nullopt;
    } else if (reader.element() == Element::kSectionStart && reader.depth() == 2) {
      in_remote = absl::StartsWith(Abseil(reader.name()), "remote");
      if (in_remote) connection.remote_classes.emplace_back();
    } else if (reader.element() == Element::kKeyValue && reader.depth() == 2 && in_remote &&
               reader.name() == "class") {
      if (!SetOnce(reader.value(), &connection.remote_classes.back())) return std::nullopt;
    }
  }
  if (reader.malformed() || connection.name.empty()) return std::nullopt;
  return connection;
}

bool SelectorHas(std::string_view selector, const IpAddress& address) {
  selector = selector.substr(0, selector.find('['));
  const size_t dots = selector.find("..");
  if (dots == std::string_view::npos) {
    const std::optional<IpPrefix> prefix = IpPrefix::Parse(selector);
    return prefix.has_value() && prefix->Contains(address);
  }
  const std::optional<IpAddress> first = IpAddress::Parse(selector.substr(0, dots));
  const std::optional<IpAddress> last = IpAddress::Parse(selector.substr(dots + 2));
  return first.has_value() && last.has_value() && first->is_v6 == address.is_v6 &&
         last->is_v6 == address.is_v6 && first->bytes <= address.bytes &&
         address.bytes <= last->bytes;
}

}  // namespace reeve::socket_internal
