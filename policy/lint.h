// Looks in a set without errors for what is risky, or without effect.
#ifndef REEVE_POLICY_LINT_H_
#define REEVE_POLICY_LINT_H_

#include <vector>

#include "policy/document_reader.h"
#include "reeve/policy/issue.h"
#include "reeve/policy/yaml_document.h"

namespace reeve {

// Adds the warnings about `documents` to *issues. `policies` are the roots of the files of
// documents.policies, in that order: their lists have the items that were read from them, one by
// one. doc/lint.md says what is looked for.
void Lint(const Documents& documents, const std::vector<YamlNode>& policies,
          std::vector<Issue>* issues);

}  // namespace reeve

#endif  // REEVE_POLICY_LINT_H_
