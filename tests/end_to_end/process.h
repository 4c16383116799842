#ifndef REEVE_TESTS_END_TO_END_PROCESS_H_
#define REEVE_TESTS_END_TO_END_PROCESS_H_

#include <string>
#include <vector>

namespace reeve {

// What became of a program that has ended.
struct Ended {
  int status = -1;  // Of its exit; 128 and the number of the signal that ended it.
  std::string out;
  std::string err;
};

// Runs `arguments`, the first being the program, with `input` as its standard input and
// `environment`
// (`NAME=value`) on top of a small fixed one, and waits for its end. Aborts the test program if it
// cannot be started.
Ended RunProgram(const std::vector<std::string>& arguments, const std::string& input = "",
          const std::vector<std::string>& environment = {});

// A new directory below the test's own, removed with what is in it when the object goes.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  std::string path(const std::string& name) const { return path_ + "/" + name; }
  // Writes a file, with the folders that it needs, and returns its path.
  std::string Write(const std::string& name, const std::string& text) const;

 private:
  std::string path_;
};

}  // namespace reeve

#endif  // REEVE_TESTS_END_TO_END_PROCESS_H_
