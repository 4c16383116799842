// Snapshot files: policy sets as `reeve compile` leaves them. doc/compiled-sets.md says which byte
// is what.
//
// A snapshot file holds the set as it was compiled, for whoever loads it alone. It also holds the
// texts of the set's files, the trees that they were read as and what their conditions were
// compiled to, so that whoever loads it with other files need neither read YAML nor compile, and
// finds in it all that was there: places, tests.
#ifndef REEVE_POLICY_SNAPSHOT_FILE_H_
#define REEVE_POLICY_SNAPSHOT_FILE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "reeve/policy/issue.h"
#include "reeve/policy/load_input.h"
#include "reeve/policy/yaml_document.h"

namespace reeve {

// Whether `bytes` begin as a snapshot file does, and as no text can.
bool IsSnapshotFile(std::string_view bytes);

inline constexpr size_t kSnapshotHeaderBytes = 128;

// Where the rules and the files of a snapshot file end, as its first kSnapshotHeaderBytes say.
// Nothing if they are those of no version that this program reads.
struct SnapshotEnds {
  uint64_t rules;
  uint64_t files;
};
std::optional<SnapshotEnds> SnapshotEndsOf(std::string_view header);

// One file of a set: its name below the set, its text, and the tree of that.
struct SnapshotPart {
  std::string name;
  const std::string* text;    // Not owned,
  const YamlDocument* yaml;   // nor is this.
  std::string programs = {};  // As ProgramBytes::made.
  bool is_schema = false;
};

// The bytes of a snapshot file of `parts`, in any order; their names differ. `image` is what
// EncodeSnapshot() gives of them, loaded in the order of their names; or empty, if there were
// issues, which are not in it. The same parts give the same bytes. Signed by `signing_key`, unless
// it is null: 64 bytes as crypto_sign(3) has them.
std::string EncodeSnapshotFile(std::vector<SnapshotPart> parts, std::string_view image,
                               const uint8_t* signing_key);

// What a file of a snapshot file was read as, and what its conditions were compiled to.
struct UnpackedFile {
  YamlDocument yaml;
  std::string programs;  // As ProgramBytes::given.
};
using UnpackedFiles = absl::flat_hash_map<std::string, UnpackedFile>;  // By the names of files.

// What a snapshot file was compiled to.
struct SnapshotRules {
  bool are_there() const { return !bytes.empty(); }
  std::string_view image() const { return std::string_view(bytes).substr(at, size); }

  std::string file;   // The snapshot file,
  size_t files = 0;   // how many it holds,
  std::string bytes;  // and its bytes.
  size_t at = 0;      // Where in them that is which DecodeSnapshot() takes.
  size_t size = 0;
};

// Puts, in the place of each snapshot file among *files, the files that it holds, and the rest of
// what it holds of them into *unpacked. Reports a snapshot file that is damaged, exceeds `limits`
// or is signed wrongly and, if there are trusted keys, all that none of them has signed; of these
// nothing is kept.
//
// If `rules` is not null, a snapshot file that is alone and was compiled by this version of Reeve
// goes there. Its files are not looked at: the schemas to which its rules are to be held are kept
// beside these.
//
// Works on any bytes: a tree that it returns has the form of one that was read. Programs and rules
// are not looked at.
void UnpackSnapshotFiles(const LoadLimits& limits, std::vector<SourceFile>* files,
                         UnpackedFiles* unpacked, std::vector<Issue>* issues,
                         SnapshotRules* rules = nullptr);

// The same of one that is alone, whose text is without its files, of `left_out` bytes: most of it,
// which need not be read. False, and nothing has changed, if it has no rules that can be taken or
// something is wrong, which is then found in the whole of it.
bool UnpackSnapshotRules(SourceFile file, size_t left_out, const LoadLimits& limits,
                         std::vector<SourceFile>* files, UnpackedFiles* unpacked,
                         SnapshotRules* rules);

// What `file` says that it was compiled to, with its schemas, as bytes that may have any fault.
// Empty if it is no snapshot file, has a fault before them that UnpackSnapshotFiles() reports, or
// was compiled by another version of Reeve.
std::string RulesOf(const SourceFile& file, const LoadLimits& limits);

// Whether both are the same, node by node.
bool AreEqual(const YamlDocument& a, const YamlDocument& b);

}  // namespace reeve

#endif  // REEVE_POLICY_SNAPSHOT_FILE_H_
