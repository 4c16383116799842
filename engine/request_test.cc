#include "reeve/engine/request.h"

#include <gtest/gtest.h>

namespace reeve {
namespace {

// A request with storage for what it points to.
struct OwnedRequest {
  Principal principal{EntityId("user", "ada"), Assurance::kKernel};
  std::string action = "doc.read";
  EntityId resource{"doc", "/a"};
  Attributes resource_attributes;
  std::vector<EntityId> resource_parents;
  Attributes context;
  std::string defect;

  std::string_view Defect() const {
    Request request(principal, action, resource);
    request.resource_attributes = &resource_attributes;
    request.resource_parents = resource_parents;
    request.context = &context;
    request.defect = defect;
    return DefectOf(request);
  }
};

struct Case {
  const char* name;
  void (*change)(OwnedRequest& r);
  const char* defect;
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class RequestTest : public testing::TestWithParam<Case> {};

TEST_P(RequestTest, IsJudged) {
  OwnedRequest request;
  GetParam().change(request);
  EXPECT_EQ(request.Defect(), GetParam().defect);
}

const Attributes kBad = {{"a", Value::String("\xff")}};
constexpr char kNotUtf8[] = "an attribute is not valid UTF-8";

const Case kCases[] = {
    {"WellFormed", [](OwnedRequest&) {}, ""},
    {"Anonymous", [](OwnedRequest& r) { r.principal = Principal(); }, ""},
    {"FoundMalformedByItsReader", [](OwnedRequest& r) { r.defect = "not JSON"; }, "not JSON"},
    {"EmptyPrincipal", [](OwnedRequest& r) { r.principal.id.id = ""; }, "the entity id is empty"},
    {"EmptyGroup",
     [](OwnedRequest& r) {
       r.principal.groups = {"a", ""};
     },
     "the entity id is empty"},
    {"TooManyGroups", [](OwnedRequest& r) { r.principal.groups.assign(kMaxGroups + 1, "g"); },
     "the principal has too many groups"},
    {"ClaimsARole",
     [](OwnedRequest& r) {
       r.principal.parents = {{"role", "p/admin"}};
     },
     "the entity type `role` is reserved for roles of a policy"},
    {"TooManyParents",
     [](OwnedRequest& r) { r.principal.parents.assign(kMaxParents + 1, EntityId("a", "b")); },
     "the principal has too many parents"},
    {"BadPrincipalAttributes", [](OwnedRequest& r) { r.principal.attributes = kBad; }, kNotUtf8},
    {"EmptyAction", [](OwnedRequest& r) { r.action = ""; }, "the action is empty"},
    {"LongAction", [](OwnedRequest& r) { r.action.assign(kMaxActionBytes + 1, 'a'); },
     "the action is too long"},
    {"ActionNotUtf8", [](OwnedRequest& r) { r.action = "\xff"; }, "the action is not valid UTF-8"},
    {"ActionWithNewline", [](OwnedRequest& r) { r.action = "doc.read\n"; },
     "the action has a control character"},
    {"EmptyResource", [](OwnedRequest& r) { r.resource.id = ""; }, "the entity id is empty"},
    {"PathTraversal", [](OwnedRequest& r) { r.resource.id = "/a/../b"; },
     "the entity id has a `.` or `..` segment"},
    {"BadResourceParent",
     [](OwnedRequest& r) {
       r.resource_parents = {{"folder", ""}};
     },
     "the entity id is empty"},
    {"ResourceParentIsNotCanonical",
     [](OwnedRequest& r) {
       r.resource_parents = {{"folder", "/secret/"}};
     },
     "the entity id has an empty path segment"},
    {"PrincipalParentIsNotCanonical",
     [](OwnedRequest& r) {
       r.principal.parents = {{"team", "/a/../b"}};
     },
     "the entity id has a `.` or `..` segment"},
    {"TooManyResourceParents",
     [](OwnedRequest& r) { r.resource_parents.assign(kMaxParents + 1, EntityId("a", "b")); },
     "the resource has too many parents"},
    {"BadResourceAttributes", [](OwnedRequest& r) { r.resource_attributes = kBad; }, kNotUtf8},
    {"BadContext", [](OwnedRequest& r) { r.context = kBad; }, kNotUtf8},
};

INSTANTIATE_TEST_SUITE_P(All, RequestTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

TEST(PrincipalTest, NameIsTheIdWithoutItsRealm) {
  EXPECT_EQ(Principal(EntityId("user", "ada@EXAMPLE.COM"), Assurance::kCrypto).name(), "ada");
  EXPECT_EQ(Principal(EntityId("user", "ada"), Assurance::kKernel).name(), "ada");
  EXPECT_EQ(Principal(EntityId("user", "a@b@C"), Assurance::kCrypto).name(), "a@b");
  EXPECT_TRUE(Principal().anonymous());
}

}  // namespace
}  // namespace reeve
