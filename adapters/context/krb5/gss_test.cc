// What libgssapi says, as errors, row by row.
#include "reeve/adapters/context/krb5/gss.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

struct Case {
  const char* name;
  OM_uint32 major;
  ContextError want;
};
std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class GssErrorTest : public ::testing::TestWithParam<Case> {};

TEST_P(GssErrorTest, IsByTheMajorStatusAlone) {
  const Case& c = GetParam();
  EXPECT_EQ(ContextErrorOfGss(c.major), c.want);
  // Of what it cannot parse MIT says that there is no memory.
  for (const OM_uint32 minor : {0, ENOMEM, EINVAL, ERANGE, 100001}) {
    const absl::Status status = GssStatus("take it", c.major, minor);
    EXPECT_EQ(ContextErrorOf(status), c.want);
    const std::string message(status.message());
    EXPECT_EQ(message.substr(0, 23), "Kerberos cannot take it") << message;
    EXPECT_FALSE(HasControlCharacter(message)) << message;
  }
}

const Case kCases[] = {
    {"BadMech", GSS_S_BAD_MECH, ContextError::kMechanism},
    {"BadName", GSS_S_BAD_NAME, ContextError::kMechanism},
    {"BadBindings", GSS_S_BAD_BINDINGS, ContextError::kWrongTarget},
    {"BadStatus", GSS_S_BAD_STATUS, ContextError::kMechanism},
    {"BadSig", GSS_S_BAD_SIG, ContextError::kAuthenticationFailed},
    {"NoCred", GSS_S_NO_CRED, ContextError::kNoCredentials},
    {"NoContext", GSS_S_NO_CONTEXT, ContextError::kInvalidHandle},
    {"NoContextOfNull", GSS_S_CALL_INACCESSIBLE_READ | GSS_S_NO_CONTEXT,
     ContextError::kInvalidHandle},
    {"DefectiveToken", GSS_S_DEFECTIVE_TOKEN, ContextError::kMalformed},
    {"DefectiveTokenOfNull", GSS_S_CALL_INACCESSIBLE_READ | GSS_S_DEFECTIVE_TOKEN,
     ContextError::kMalformed},
    {"DefectiveTokenOfGarbage", GSS_S_CALL_BAD_STRUCTURE | GSS_S_DEFECTIVE_TOKEN,
     ContextError::kMalformed},
    {"DefectiveCredential", GSS_S_DEFECTIVE_CREDENTIAL, ContextError::kNoCredentials},
    {"CredentialsExpired", GSS_S_CREDENTIALS_EXPIRED, ContextError::kExpired},
    {"ContextExpired", GSS_S_CONTEXT_EXPIRED, ContextError::kExpired},
    {"Failure", GSS_S_FAILURE, ContextError::kMechanism},
    {"BadQop", GSS_S_BAD_QOP, ContextError::kMechanism},
    {"Unauthorized", GSS_S_UNAUTHORIZED, ContextError::kMechanism},
    {"Unavailable", GSS_S_UNAVAILABLE, ContextError::kMechanism},
    {"DuplicateElement", GSS_S_DUPLICATE_ELEMENT, ContextError::kMechanism},
    {"NameNotMn", GSS_S_NAME_NOT_MN, ContextError::kMechanism},
    // Success with a remark is no success, wherever nobody expects it.
    {"Duplicate", GSS_S_DUPLICATE_TOKEN, ContextError::kMechanism},
    {"Old", GSS_S_OLD_TOKEN, ContextError::kMechanism},
    {"Unsequenced", GSS_S_UNSEQ_TOKEN, ContextError::kMechanism},
    {"Gap", GSS_S_GAP_TOKEN, ContextError::kMechanism},
    {"ContinueNeeded", GSS_S_CONTINUE_NEEDED, ContextError::kMechanism},
    {"Unknown", 77u << GSS_C_ROUTINE_ERROR_OFFSET, ContextError::kMechanism},
};

INSTANTIATE_TEST_SUITE_P(, GssErrorTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(GssNameTest, ServiceOrPrincipal) {
  const struct {
    std::string text;
    bool ok;
  } kRows[] = {
      {"documents@web-1.example.com", true},
      {"documents/web-1.example.com@EXAMPLE.COM", true},
      {"", false},
      {"documents\n@web", false},
      {std::string("documents@web\0.example.com", 26), false},
  };
  for (const auto& row : kRows) {
    const absl::StatusOr<GssName> name = ImportGssName(row.text);
    EXPECT_EQ(name.ok(), row.ok) << row.text << name.status();
    if (!row.ok) {
      EXPECT_EQ(name.status().code(), absl::StatusCode::kInvalidArgument);
    }
  }
}

}  // namespace
}  // namespace reeve
