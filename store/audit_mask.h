#ifndef REEVE_STORE_AUDIT_MASK_H_
#define REEVE_STORE_AUDIT_MASK_H_

#include <cstdint>
#include <string>

namespace reeve {

// What a record must not hold as it is, for AuditStore::Options::masks. A value.
//
// A mask is applied on the thread that decides, before the record is queued: what it hides is in no
// queue, file or write-ahead log. The record says what was masked and how (the column `masked`),
// and is not decided on again, as it does not hold what was asked.
struct AuditMask {
  enum class Kind : uint8_t {
    // Not kept. Of principal, action and resource, which every record has, this is refused.
    kRemove,
    // `text` stands for it.
    kReplace,
    // A keyed hash stands for it: `hash:` and 32 hexadecimal digits, of BLAKE2b with the key of the
    // store. Equal values have equal hashes, wherever in a record they stand, so that records can
    // be joined by them; of a list in a path each item has its own. Without the key nobody can try
    // values. If there is no key the value is dropped.
    kHash,
  };

  // Which records: `any`, or a rule by its id or a glob of ids (`payroll/*`), for records in which
  // such a rule determined the answer, nearly did, or matched in shadow. A request that no rule
  // was asked about, because it is malformed, is masked by `any` alone. Not empty.
  std::string rule;
  // What:
  //   principal.id, resource.id       the id behind the type, which stays
  //   principal.host, .actor, .evidence; .groups, .parents; resource.parents; action
  //   principal.attributes.NAME, resource.attributes.NAME, context.NAME
  //                                   a value; further names, each behind a dot, lead into maps,
  //                                   and through lists to each of their maps. `\.` is a dot in a
  //                                   name, `\\` a backslash
  //   principal.attributes, resource.attributes, context    all of it: kRemove only
  //   message, error, obligations     of the answer: kRemove only
  // Ids of rules, the digest of the policy, texts of clauses and what they came to are of the
  // policy and not of the request; they are not masked, nor is how the principal is known.
  std::string path;
  Kind kind = Kind::kRemove;
  // For kReplace, else empty: valid UTF-8 without control characters, 1 to 256 bytes.
  std::string text;
};

}  // namespace reeve

#endif  // REEVE_STORE_AUDIT_MASK_H_
