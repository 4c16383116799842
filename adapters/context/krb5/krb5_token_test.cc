// What of tokens is taken before libgssapi sees them, row by row. krb5_test.cc has real ones.
#include "reeve/adapters/context/krb5/krb5_token.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"

namespace reeve {
namespace {

std::string Word(const absl::Status& status) {
  if (status.ok()) return "ok";
  const std::optional<ContextError> error = ContextErrorOf(status);
  return std::string(error.has_value() ? ToString(*error) : "another error");
}

std::string Number(uint32_t number) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(number >> shift);
  return text;
}

std::string Counted(std::string_view bytes) {
  return absl::StrCat(Number(bytes.size()), std::string(bytes));
}

// ---- Tokens of a handshake.

TEST(Krb5TokenTest, IsNeitherEmptyNorLongNorEndless) {
  EXPECT_EQ(Word(CheckKrb5Token("x", 1)), "ok");
  EXPECT_EQ(Word(CheckKrb5Token("", 1)), "malformed");
  EXPECT_EQ(Word(CheckKrb5Token(std::string(kMaxKrb5TokenBytes, 'x'), kMaxKrb5Rounds)), "ok");
  EXPECT_EQ(Word(CheckKrb5Token(std::string(kMaxKrb5TokenBytes + 1, 'x'), 1)), "malformed");
  EXPECT_EQ(Word(CheckKrb5Token("x", kMaxKrb5Rounds + 1)), "resource_exhausted");
}

struct FirstCase {
  const char* name;
  std::string token;
  std::string want;
};
std::ostream& operator<<(std::ostream& os, const FirstCase& c) { return os << c.name; }

class Krb5FirstTokenTest : public ::testing::TestWithParam<FirstCase> {};

TEST_P(Krb5FirstTokenTest, NamesItsMechanism) {
  const absl::StatusOr<Krb5Mechanism> mechanism = MechanismOfToken(GetParam().token);
  EXPECT_EQ(!mechanism.ok()                        ? Word(mechanism.status())
            : *mechanism == Krb5Mechanism::kSpnego ? "spnego"
                                                   : "krb5",
            GetParam().want);
}

// A frame of `oid` with `rest` after it.
std::string First(std::string_view oid, const std::string& rest = "rest") {
  const std::string inner =
      absl::StrCat("\x06", std::string(1, static_cast<char>(oid.size())), std::string(oid), rest);
  return absl::StrCat("\x60", std::string(1, static_cast<char>(inner.size())), inner);
}

std::string Long(std::string_view length, size_t size) {
  return absl::StrCat("\x60", std::string(length), "\x06\x06", std::string(kSpnegoOid),
                      std::string(size - 8, 'x'));
}

const FirstCase kFirst[] = {
    {"Krb5", First(kKrb5Oid), "krb5"},
    {"Spnego", First(kSpnegoOid), "spnego"},
    {"NothingAfterIt", First(kKrb5Oid, ""), "krb5"},
    {"OneByteOfLength", Long("\x81\xC8", 200), "spnego"},
    {"TwoBytesOfLength", Long({"\x82\x01\0", 3}, 256), "spnego"},
    {"FourBytesOfLength", Long({"\x84\0\0\x01\0", 5}, 256), "spnego"},
    {"FiveBytesOfLength", Long({"\x85\0\0\0\x01\0", 6}, 256), "malformed"},
    {"NoLength", Long("\x80", 200), "malformed"},
    {"LengthTooShort", Long("\x81\xC7", 200), "malformed"},
    {"LengthTooLong", Long("\x81\xC9", 200), "malformed"},
    {"Nothing", "", "malformed"},
    {"OneByte", "\x60", "malformed"},
    {"LengthCutOff", "\x60\x82\x01", "malformed"},
    {"NoIdentifier", {"\x60\0", 2}, "malformed"},
    {"NoLengthOfIt", "\x60\x01\x06", "malformed"},
    {"IdentifierCutOff", "\x60\x03\x06\x02\x2A", "malformed"},
    {"LongIdentifier", "\x60\x03\x06\x81\x2A", "malformed"},
    {"AnotherTag", "\x6E\x03\x06\x01\x2A", "malformed"},
    {"AnotherTagWithin", "\x60\x03\x04\x01\x2A", "malformed"},
    {"AnotherMechanism", "\x60\x03\x06\x01\x2A", "mechanism"},
    {"BeginningOfKrb5", First(kKrb5Oid.substr(0, 8)), "mechanism"},
    {"MoreThanKrb5", First(absl::StrCat(std::string(kKrb5Oid), "\x01")), "mechanism"},
    // Microsoft's wrong one (RFC 4178, appendix C) stands within SPNEGO only.
    {"MicrosoftsKrb5", First("\x2A\x86\x48\x82\xF7\x12\x01\x02\x02"), "mechanism"},
};

INSTANTIATE_TEST_SUITE_P(, Krb5FirstTokenTest, ::testing::ValuesIn(kFirst),
                         [](const auto& info) { return std::string(info.param.name); });

// ---- Exported contexts.

constexpr char kMark[] = "\xAA\xCA\x60\x12";

// A body that names these.
std::string Profiles(const std::vector<std::string>& paths) {
  std::string text = absl::StrCat(kMark, Number(paths.size()));
  for (const std::string& path : paths) absl::StrAppend(&text, Counted(path));
  return text + kMark;
}

std::string Krb5(const std::string& body) {
  return absl::StrCat(Counted(kKrb5Oid), "mark", body, "mark");
}

struct ExportedCase {
  const char* name;
  std::string bytes;
  std::string want;         // Of package krb5.
  std::string want_spnego;  // Of package spnego.
};
std::ostream& operator<<(std::ostream& os, const ExportedCase& c) { return os << c.name; }

class Krb5ExportedTest : public ::testing::TestWithParam<ExportedCase> {};

TEST_P(Krb5ExportedTest, IsTakenOrNot) {
  const ExportedCase& c = GetParam();
  const std::vector<std::string> profiles = {"/etc/krb5.conf", "/home/krb5.conf"};
  for (const Krb5Mechanism mechanism : {Krb5Mechanism::kKrb5, Krb5Mechanism::kSpnego}) {
    const bool spnego = mechanism == Krb5Mechanism::kSpnego;
    SCOPED_TRACE(spnego);
    const absl::StatusOr<std::string_view> exported = ExportedKrb5(c.bytes, mechanism, profiles);
    EXPECT_EQ(Word(exported.status()), spnego ? c.want_spnego : c.want) << exported.status();
    if (exported.ok()) {
      EXPECT_EQ(absl::StrCat(std::string(ExportedFrame(mechanism)), std::string(*exported)),
                c.bytes);
    }
  }
}

const char* const kNo = "mechanism";

const ExportedCase kExported[] = {
    {"Krb5", Krb5(Profiles({"/etc/krb5.conf"})), "ok", kNo},
    {"Spnego", Counted(kSpnegoOid) + Krb5(Profiles({"/etc/krb5.conf"})), kNo, "ok"},
    {"SpnegoOfSpnego", Counted(kSpnegoOid) + Counted(kSpnegoOid) + Krb5(""), kNo, kNo},
    {"SpnegoOfAnother", Counted(kSpnegoOid) + Counted("oid") + "markmark", kNo, kNo},
    {"Another", Counted("oid") + "markmark", kNo, kNo},
    {"Empty", "", "malformed", "malformed"},
    {"Short", Number(9).substr(0, 3), "malformed", "malformed"},
    {"IdentifierCutOff", Number(9) + "\x2A\x86", "malformed", kNo},
    {"Huge", Number(0xFFFFFFFF) + "x", "malformed", kNo},
    {"NothingAfterIt", Counted(kKrb5Oid), "malformed", kNo},
    {"OneMark", Counted(kKrb5Oid) + "mark", "malformed", kNo},
    {"MarksOverlap", Counted(kKrb5Oid) + "aaaaa", "malformed", kNo},
    {"MarksDiffer", Counted(kKrb5Oid) + "mark...Mark", "malformed", kNo},
    {"TrailingByte", Krb5("") + "x", "malformed", kNo},
    {"Longest", Krb5(std::string(kMaxExportedKrb5Bytes - 21, 'x')), "ok", kNo},
    {"TooLong", Krb5(std::string(kMaxExportedKrb5Bytes - 20, 'x')), "malformed", "malformed"},
    {"NoProfile", Krb5(Profiles({})), "ok", kNo},
    {"TwoProfiles", Krb5(Profiles({"/home/krb5.conf", "/etc/krb5.conf"})), "ok", kNo},
    {"AnotherProfile", Krb5(Profiles({"/tmp/fifo"})), kNo, kNo},
    {"AnotherProfileAfterOurs", Krb5(Profiles({"/etc/krb5.conf", "/tmp/fifo"})), kNo, kNo},
    {"AnotherListAfterOurs", Krb5(Profiles({"/etc/krb5.conf"}) + Profiles({"/tmp/fifo"})), kNo,
     kNo},
    {"AtAnOddPlace", Krb5("x" + Profiles({"/tmp/fifo"}) + "yy"), kNo, kNo},
    {"AfterAMark", Krb5(kMark + Profiles({"/tmp/fifo"})), "malformed", kNo},
    {"BeginningOfOurs", Krb5(Profiles({"/etc/krb5"})), kNo, kNo},
    {"OursAndMore", Krb5(Profiles({"/etc/krb5.conf.d"})), kNo, kNo},
    {"EmptyPath", Krb5(Profiles({""})), kNo, kNo},
    {"MarkAlone", Krb5(kMark), "malformed", kNo},
    {"ListCutOff", Krb5(absl::StrCat(kMark, Number(1), Number(500), "/tmp/fifo")), "malformed",
     kNo},
    {"NoMarkAfterTheList", Krb5(absl::StrCat(kMark, Number(1), Counted("/tmp/fifo"), "xxxx")),
     "malformed", kNo},
    {"TooManyProfiles", Krb5(Profiles(std::vector<std::string>(17, "/tmp/fifo"))), "malformed",
     kNo},
    {"LongPath", Krb5(Profiles({std::string(4097, '/')})), "malformed", kNo},
    {"BeginningsOfAMark", Krb5(std::string(60000, '\xAA')), "ok", kNo},
};

INSTANTIATE_TEST_SUITE_P(, Krb5ExportedTest, ::testing::ValuesIn(kExported),
                         [](const auto& info) { return std::string(info.param.name); });

// ---- Exported tickets.

TEST(Krb5ExportedTicketTest, IsTakenOrNot) {
  const std::string krb5 = Counted(kKrb5Oid) + Counted("ticket");
  const std::string spnego = Counted(kSpnegoOid) + Counted("ticket");
  const struct {
    const char* name;
    std::string bytes;
    std::string want;
  } kRows[] = {
      {"Krb5", krb5, "ok"},
      {"Spnego", spnego, "ok"},
      {"Both", krb5 + spnego, "ok"},
      {"Three", krb5 + spnego + krb5, "malformed"},
      {"Empty", "", "malformed"},
      {"EmptyTicket", Counted(kKrb5Oid) + Counted(""), "malformed"},
      {"IdentifierAlone", Counted(kKrb5Oid), "malformed"},
      {"CutOff", krb5.substr(0, krb5.size() - 1), "malformed"},
      {"TrailingByte", krb5 + "x", "malformed"},
      {"Another", Counted("oid") + Counted("ticket"), "mechanism"},
      {"TooLong", Counted(kKrb5Oid) + Counted(std::string(kMaxExportedKrb5Bytes, 'x')),
       "malformed"},
  };
  for (const auto& row : kRows) {
    EXPECT_EQ(Word(CheckExportedTicket(row.bytes)), row.want) << row.name;
  }
}

// ---- Our own krb5.conf.

TEST(Krb5ProfilesTest, AreThoseOfTheEnvironment) {
  const char* const before = getenv("KRB5_CONFIG");
  const std::string saved = before == nullptr ? "" : before;
  using Paths = std::vector<std::string>;
  unsetenv("KRB5_CONFIG");
  EXPECT_EQ(ProfilesOfThisProcess(), (Paths{"/etc/krb5.conf", "/usr/etc/krb5.conf"}));
  setenv("KRB5_CONFIG", "/a", 1);
  EXPECT_EQ(ProfilesOfThisProcess(), Paths{"/a"});
  setenv("KRB5_CONFIG", "/a:/b:", 1);
  EXPECT_EQ(ProfilesOfThisProcess(), (Paths{"/a", "/b"}));
  setenv("KRB5_CONFIG", "", 1);
  EXPECT_EQ(ProfilesOfThisProcess(), Paths{});
  unsetenv("KRB5_CONFIG");
  if (before != nullptr) setenv("KRB5_CONFIG", saved.c_str(), 1);
}

}  // namespace
}  // namespace reeve
