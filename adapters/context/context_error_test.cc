// The reasons: each has a name and a code, and is found again in the status that was made of it.
#include "reeve/adapters/context/context_error.h"

#include <gtest/gtest.h>

#include <ostream>
#include <set>
#include <string>

#include "absl/strings/cord.h"

namespace reeve {
namespace {

struct Case {
  ContextError error;
  const char* name;
  absl::StatusCode code;
};
std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

// By number, all of them.
const Case kCases[] = {
    {ContextError::kUnknownPackage, "unknown_package", absl::StatusCode::kInvalidArgument},
    {ContextError::kMalformed, "malformed", absl::StatusCode::kInvalidArgument},
    {ContextError::kUnsupportedVersion, "unsupported_version", absl::StatusCode::kInvalidArgument},
    {ContextError::kUnknownKey, "unknown_key", absl::StatusCode::kUnauthenticated},
    {ContextError::kAuthenticationFailed, "authentication_failed",
     absl::StatusCode::kUnauthenticated},
    {ContextError::kMechanism, "mechanism", absl::StatusCode::kUnauthenticated},
    {ContextError::kExpired, "expired", absl::StatusCode::kUnauthenticated},
    {ContextError::kNotYetValid, "not_yet_valid", absl::StatusCode::kUnauthenticated},
    {ContextError::kNoCredentials, "no_credentials", absl::StatusCode::kFailedPrecondition},
    {ContextError::kWrongTarget, "wrong_target", absl::StatusCode::kPermissionDenied},
    {ContextError::kReplayed, "replayed", absl::StatusCode::kPermissionDenied},
    {ContextError::kExporterNotAllowed, "exporter_not_allowed",
     absl::StatusCode::kPermissionDenied},
    {ContextError::kResourceExhausted, "resource_exhausted", absl::StatusCode::kResourceExhausted},
    {ContextError::kInternal, "internal", absl::StatusCode::kInternal},
    {ContextError::kInvalidHandle, "invalid_handle", absl::StatusCode::kFailedPrecondition},
    {ContextError::kNotSupported, "not_supported", absl::StatusCode::kUnimplemented},
    {ContextError::kMessageAltered, "message_altered", absl::StatusCode::kUnauthenticated},
    {ContextError::kOutOfSequence, "out_of_sequence", absl::StatusCode::kUnauthenticated},
};

class ContextErrorTest : public ::testing::TestWithParam<Case> {};

TEST_P(ContextErrorTest, IsFoundInItsStatus) {
  const Case& c = GetParam();
  EXPECT_EQ(ToString(c.error), c.name);
  const absl::Status status = MakeContextError(c.error, "the message, as given");
  EXPECT_EQ(status.code(), c.code);
  EXPECT_EQ(status.message(), "the message, as given");
  EXPECT_EQ(ContextErrorOf(status), c.error);
  // A copy has it, too, and so has one that gained more.
  absl::Status more = status;
  more.SetPayload("other", absl::Cord("payload"));
  EXPECT_EQ(ContextErrorOf(more), c.error);
}

INSTANTIATE_TEST_SUITE_P(, ContextErrorTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

TEST(ContextErrorTableTest, IsWhole) {
  std::set<std::string> names;
  for (size_t i = 0; i < std::size(kCases); ++i) {
    EXPECT_EQ(static_cast<size_t>(kCases[i].error), i);
    names.insert(kCases[i].name);
  }
  EXPECT_EQ(names.size(), std::size(kCases));
  EXPECT_EQ(std::size(kCases), static_cast<size_t>(ContextError::kOutOfSequence) + 1);
}

TEST(ContextErrorOfTest, FindsNoneInOthers) {
  EXPECT_EQ(ContextErrorOf(absl::OkStatus()), std::nullopt);
  // By no message and no code.
  EXPECT_EQ(ContextErrorOf(absl::UnauthenticatedError("expired")), std::nullopt);
  absl::Status status = MakeContextError(ContextError::kExpired, "expired");
  status.ErasePayload("reeve/context_error");
  EXPECT_EQ(ContextErrorOf(status), std::nullopt);
  // Of a later version.
  for (const char* payload : {"", "expire", "expired ", "EXPIRED", "revoked"}) {
    status.SetPayload("reeve/context_error", absl::Cord(payload));
    EXPECT_EQ(ContextErrorOf(status), std::nullopt) << payload;
  }
}

}  // namespace
}  // namespace reeve
