#include "reeve/adapters/context/krb5/krb5_context.h"

#include <gssapi/gssapi_krb5.h>
#include <profile.h>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/krb5/krb5_name.h"
#include "reeve/adapters/context/krb5/krb5_session.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

constexpr int kDefaultSkewSeconds = 300;  // krb5.conf(5), clockskew
constexpr int kMaxValues = 64;
constexpr size_t kMaxTargetEvidenceBytes = 200;

absl::Status Refuse(std::string_view why) {
  return MakeContextError(ContextError::kMechanism, why);
}

// `clockskew` of krb5.conf.
absl::StatusOr<absl::Duration> ConfiguredSkew() {
  const absl::StatusOr<Krb5Library> library = OpenKrb5();
  if (!library.ok()) return library.status();
  profile_t profile;
  int seconds = kDefaultSkewSeconds;
  long error = krb5_get_profile(library->get(), &profile);
  if (error == 0) {
    error = profile_get_integer(profile, "libdefaults", "clockskew", nullptr, kDefaultSkewSeconds,
                                &seconds);
    profile_release(profile);
  }
  if (error != 0 || seconds < 0) {
    return MakeContextError(
        ContextError::kInternal,
        "`clockskew` of krb5.conf is no number of seconds; mend it, or set Krb5Options::skew");
  }
  return absl::Seconds(seconds);
}

// The values of an attribute, of which each is authenticated and complete; others are left out. At
// most `max`; more are an error.
absl::StatusOr<std::vector<std::string>> ProvedValues(gss_name_t name, std::string_view attribute,
                                                      int max) {
  gss_buffer_desc buffer = GssView(attribute);
  std::vector<std::string> values;
  int more = -1;
  for (int i = 0; more != 0; ++i) {
    if (i == max) {
      return Refuse(absl::StrCat("the principal has more than ", max, " values of `",
                                 Printable(attribute), "`"));
    }
    int authenticated = 0;
    int complete = 0;
    GssBuffer value;
    GssBuffer display;
    OM_uint32 minor;
    const OM_uint32 major = gss_get_name_attribute(&minor, name, &buffer, &authenticated, &complete,
                                                   value.get(), display.get(), &more);
    if (GSS_ROUTINE_ERROR(major) == GSS_S_UNAVAILABLE) break;
    if (major != GSS_S_COMPLETE) return GssStatus("read the principal's attributes", major, minor);
    if (authenticated != 0 && complete != 0) values.emplace_back(value.view());
  }
  return values;
}

absl::StatusOr<std::string> DisplayName(gss_name_t name) {
  GssBuffer text;
  gss_OID type = GSS_C_NO_OID;
  OM_uint32 minor;
  const OM_uint32 major = gss_display_name(&minor, name, text.get(), &type);
  if (major != GSS_S_COMPLETE) {
    return GssStatus(ContextError::kMechanism, "read the principal's name", major, minor);
  }
  // GSS_C_ANON_FLAG says it only if the client asked to be nobody.
  if (gss_oid_equal(type, GSS_C_NT_ANONYMOUS) != 0) return Refuse("the client is anonymous");
  if (gss_oid_equal(type, GSS_KRB5_NT_PRINCIPAL_NAME) == 0) {
    return Refuse("the principal's name is none of Kerberos");
  }
  return std::string(text.view());
}

// "aes256-cts-hmac-sha384-192", or its number.
std::string EncryptionOf(gss_ctx_id_t context) {
  gss_buffer_set_t raw = GSS_C_NO_BUFFER_SET;
  OM_uint32 minor;
  const OM_uint32 major =
      gss_inquire_sec_context_by_oid(&minor, context, GSS_C_INQ_SSPI_SESSION_KEY, &raw);
  // The first is the key, which is zeroed with the set; the second an OID whose last arc is the
  // type of encryption.
  const GssBufferSet set(raw);
  if (major != GSS_S_COMPLETE || raw == nullptr || raw->count < 2) return "unknown";
  const auto* const oid = static_cast<const unsigned char*>(raw->elements[1].value);
  const size_t size = raw->elements[1].length;
  size_t begin = size;
  while (begin > 0 && (begin == size || (oid[begin - 1] & 0x80) != 0)) --begin;
  if (size - begin > 4) return "unknown";
  uint32_t type = 0;
  for (size_t i = begin; i < size; ++i) type = type << 7 | (oid[i] & 0x7F);
  char name[64];
  if (krb5_enctype_to_name(static_cast<krb5_enctype>(type), 0, name, sizeof(name)) == 0) {
    return name;
  }
  return absl::StrCat(type);
}

std::string FlagsText(OM_uint32 flags) {
  static constexpr struct {
    OM_uint32 flag;
    const char* name;
  } kNames[] = {
      {GSS_C_DELEG_FLAG, "deleg"},   {GSS_C_MUTUAL_FLAG, "mutual"},
      {GSS_C_REPLAY_FLAG, "replay"}, {GSS_C_SEQUENCE_FLAG, "sequence"},
      {GSS_C_CONF_FLAG, "conf"},     {GSS_C_INTEG_FLAG, "integ"},
  };
  std::string text;
  for (const auto& row : kNames) {
    if ((flags & row.flag) != 0) absl::StrAppend(&text, text.empty() ? "" : ",", row.name);
  }
  return text.empty() ? "none" : text;
}

// What libgssapi says of a context.
struct Inquired {
  GssName source;
  GssName target;
  OM_uint32 flags = 0;
  absl::Time end;  // Of its ticket.
};

absl::StatusOr<Inquired> Inquire(gss_ctx_id_t context, const Krb5Rules& rules) {
  gss_name_t source = GSS_C_NO_NAME;
  gss_name_t target = GSS_C_NO_NAME;
  OM_uint32 seconds = 0;
  gss_OID mechanism = GSS_C_NO_OID;
  int is_ours = 0;
  int open = 0;
  Inquired inquired;
  // The clock that libgssapi reads next, and as it does, by time(2): if it is a second later there,
  // the end comes out a second early. (clock_gettime(2) turns some milliseconds before, and then
  // the end would come out late.)
  const int64_t before = time(nullptr);
  OM_uint32 minor;
  const OM_uint32 major = gss_inquire_context(&minor, context, &source, &target, &seconds,
                                              &mechanism, &inquired.flags, &is_ours, &open);
  inquired.source.reset(source);
  inquired.target.reset(target);
  if (GSS_ROUTINE_ERROR(major) == GSS_S_CONTEXT_EXPIRED) {
    return MakeContextError(ContextError::kExpired, "the ticket of the context has ended");
  }
  if (major != GSS_S_COMPLETE) {
    return GssStatus(ContextError::kMechanism, "inquire the context", major, minor);
  }
  if (open == 0 || source == nullptr || target == nullptr) {
    return Refuse("the context is not complete; export it when the handshake is done");
  }
  if (is_ours != 0) {
    return Refuse("the context is of a client; only a server's proves who the client is");
  }
  if (gss_oid_equal(mechanism, Krb5Oid()) == 0) {
    return Refuse("the context is of another mechanism than Kerberos");
  }
  inquired.end = absl::FromUnixSeconds(before + int64_t{seconds}) - rules.skew;
  return inquired;
}

absl::Status CheckFlags(OM_uint32 flags, const Krb5Options& options) {
  if (options.require_mutual && (flags & GSS_C_MUTUAL_FLAG) == 0) {
    return Refuse(
        "the client did not ask the server to prove itself; if that is well, clear "
        "Krb5Options::require_mutual");
  }
  if (options.require_integrity && (flags & kGssProtected) != kGssProtected) {
    return Refuse(
        "the client did not ask for messages that are protected, without replays and in order; if "
        "that is well, clear Krb5Options::require_integrity");
  }
  return absl::OkStatus();
}

std::string Text(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<Krb5Rules> MakeKrb5Rules(const Krb5Options& options) {
  const auto invalid = [](std::string_view why) {
    return absl::InvalidArgumentError(absl::string_view(why.data(), why.size()));
  };
  if (options.max_lifetime <= absl::ZeroDuration()) {
    return invalid("Krb5Options::max_lifetime is not more than zero");
  }
  if (options.skew.has_value() && *options.skew < absl::ZeroDuration()) {
    return invalid("Krb5Options::skew is negative");
  }
  if (options.realms.has_value() && options.realms->empty()) {
    return invalid("Krb5Options::realms is empty; leave it unset to believe all");
  }
  static constexpr std::string_view kOwn[] = {"krb5_realm", "auth_time",       "auth_indicators",
                                              "delegated",  "context_expires", "local_name"};
  for (auto i = options.pac.begin(); i != options.pac.end(); ++i) {
    const bool repeated = std::any_of(options.pac.begin(), i,
                                      [&](const auto& other) { return other.second == i->second; });
    if (i->first.empty() || i->second.empty() || repeated ||
        std::find(std::begin(kOwn), std::end(kOwn), i->second) != std::end(kOwn)) {
      return invalid(absl::StrCat("Krb5Options::pac: `", Printable(i->second),
                                  "` is empty, given twice, or the name of another attribute"));
    }
  }
  Krb5Rules rules{options, absl::ZeroDuration()};
  if (options.skew.has_value()) {
    rules.skew = *options.skew;
    return rules;
  }
  const absl::StatusOr<absl::Duration> skew = ConfiguredSkew();
  if (!skew.ok()) return skew.status();
  rules.skew = *skew;
  return rules;
}

absl::StatusOr<EstablishedContext> DescribeKrb5(GssContext context, Krb5Mechanism mechanism,
                                                const Krb5Rules& rules, absl::Time now) {
  const Krb5Options& options = rules.options;
  const absl::StatusOr<Inquired> inquired = Inquire(context.get(), rules);
  if (!inquired.ok()) return inquired.status();
  if (absl::Status status = CheckFlags(inquired->flags, options); !status.ok()) return status;
  OM_uint32 minor;
  krb5_timestamp seconds = 0;
  if (const OM_uint32 major =
          gsskrb5_extract_authtime_from_sec_context(&minor, context.get(), &seconds);
      major != GSS_S_COMPLETE) {
    return GssStatus(ContextError::kMechanism, "tell when the user authenticated", major, minor);
  }
  // MIT reads the 32 bits without a sign, until the year 2106.
  const absl::Time auth_time = absl::FromUnixSeconds(static_cast<uint32_t>(seconds));
  if (auth_time - rules.skew > now) {
    return MakeContextError(ContextError::kNotYetValid,
                            absl::StrCat("the user authenticated at ", Text(auth_time),
                                         ", and it is ", Text(now), " here; set the clocks"));
  }
  const absl::Time expires = std::min(inquired->end, now + options.max_lifetime);
  if (now >= expires) {
    return MakeContextError(ContextError::kExpired,
                            absl::StrCat("the ticket of the context has ended at ", Text(expires)));
  }

  const absl::StatusOr<std::string> source = DisplayName(inquired->source.get());
  if (!source.ok()) return source.status();
  absl::StatusOr<Krb5Named> named = NamedByKrb5(*source);
  if (!named.ok()) return named.status();
  if (options.realms.has_value() && std::find(options.realms->begin(), options.realms->end(),
                                              named->realm.id) == options.realms->end()) {
    return Refuse(absl::StrCat("the principal `", Printable(*source),
                               "` is of a realm that is not in Krb5Options::realms"));
  }
  const absl::StatusOr<std::string> target = DisplayName(inquired->target.get());
  if (!target.ok()) return target.status();

  absl::StatusOr<std::vector<std::string>> proved =
      ProvedValues(inquired->source.get(), "auth-indicators", kMaxValues);
  if (!proved.ok()) return proved.status();
  Value::List indicators;
  for (std::string& value : *proved) indicators.push_back(Value::String(std::move(value)));
  Attributes attributes;
  attributes.Set("auth_indicators", Value::Of(std::move(indicators)));
  attributes.Set("auth_time", Value::Timestamp(auth_time));
  attributes.Set("context_expires", Value::Timestamp(expires));
  attributes.Set("delegated", Value::Bool((inquired->flags & GSS_C_DELEG_FLAG) != 0));
  attributes.Set("krb5_realm", Value::String(named->realm.id));
  for (const auto& [urn, attribute] : options.pac) {
    absl::StatusOr<std::vector<std::string>> values =
        ProvedValues(inquired->source.get(), urn, kMaxValues);
    if (!values.ok()) return values.status();
    if (!values->empty()) attributes.Set(attribute, Value::Bytes(std::move(values->front())));
  }
  if (options.local_name) {
    GssBuffer name;
    const OM_uint32 major = gss_localname(&minor, inquired->source.get(), Krb5Oid(), name.get());
    if (major == GSS_S_COMPLETE) {
      attributes.Set("local_name", Value::String(std::string(name.view())));
    }
  }
  if (const std::string_view defect = DefectOf(attributes); !defect.empty()) {
    return Refuse(absl::StrCat("the principal's attributes are not taken: ",
                               absl::string_view(defect.data(), defect.size())));
  }

  EstablishedContext established;
  established.established = std::min(auth_time, now);
  established.expires = expires;
  Principal& principal = established.principal;
  principal.id = std::move(named->id);
  principal.assurance = Assurance::kCrypto;
  principal.parents.push_back(std::move(named->realm));
  principal.attributes = std::move(attributes);
  principal.via = NameOf(mechanism);
  // The target comes last, so that no name can look like another field.
  principal.evidence =
      absl::StrCat("mech=", principal.via, " enctype=", EncryptionOf(context.get()),
                   " flags=", FlagsText(inquired->flags), " auth_time=", Text(auth_time),
                   " target=", Printable(*target, kMaxTargetEvidenceBytes));
  established.session =
      std::make_unique<Krb5Session>(std::move(context), mechanism, inquired->flags);
  return established;
}

}  // namespace reeve
