#ifndef REEVE_STORE_OCSF_H_
#define REEVE_STORE_OCSF_H_

#include <string>

#include "reeve/store/audit_reader.h"

namespace reeve {

// `row` as an event of the Open Cybersecurity Schema Framework 1.3.0: one line of JSON, of the
// class API Activity (6003). doc/audit-queries.md says which column stands
// where. Source: schema.ocsf.io/1.3.0/classes/api_activity.
std::string ToOcsf(const AuditRow& row);

}  // namespace reeve

#endif  // REEVE_STORE_OCSF_H_
