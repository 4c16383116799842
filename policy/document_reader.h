// Reads one YAML tree as a document of ours, and reports all that is wrong with it.
#ifndef REEVE_POLICY_DOCUMENT_READER_H_
#define REEVE_POLICY_DOCUMENT_READER_H_

#include <memory>
#include <string_view>
#include <vector>

#include "policy/conditions.h"
#include "policy/document.h"
#include "policy/schema_document.h"
#include "policy/schema_scope.h"
#include "reeve/policy/issue.h"
#include "reeve/policy/load_input.h"
#include "reeve/policy/yaml_document.h"

namespace reeve {

struct Documents {
  std::vector<SchemaDocument> schemas;
  // What `schemas` come to, once all are read; null if there are none, or errors in them.
  std::unique_ptr<const SchemaScope> scope;
  std::vector<PolicyDocument> policies;
  std::vector<EntitiesDocument> entities;
  std::vector<TestsDocument> tests;
};

// Whether the file is a schema, which is to be read before all that is held to it.
bool IsSchema(const YamlDocument& yaml);

// Adds what the file `file` holds to *documents, and what is wrong with it to *issues. After an
// error what was added is of no use but to find more errors. `programs` are those of the file.
void ReadDocument(std::string_view file, const YamlDocument& yaml, const LoadLimits& limits,
                  Documents* documents, std::vector<Issue>* issues,
                  const ProgramBytes& programs = {});

// Reports names of suites of tests that are given twice, and rules that tests name and no policy
// has.
void CheckTests(const Documents& documents, std::vector<Issue>* issues);

}  // namespace reeve

#endif  // REEVE_POLICY_DOCUMENT_READER_H_
