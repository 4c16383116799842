// Programs that a test starts, talks to and ends.
#ifndef REEVE_TESTS_END_TO_END_PROCESS_H_
#define REEVE_TESTS_END_TO_END_PROCESS_H_

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace reeve {
namespace end_to_end {

// A directory of a new name that other users can enter, with a path short enough for sockets below
// it. Removed with what is in it by the destructor.
class WorkDirectory {
 public:
  WorkDirectory();
  ~WorkDirectory();
  WorkDirectory(const WorkDirectory&) = delete;
  WorkDirectory& operator=(const WorkDirectory&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  // Writes a file, with the folders that it needs, and returns its path.
  std::string Write(const std::string& name, const std::string& text) const;

 private:
  std::string path_;
};

// One program, with a pipe from its standard output and error together. The destructor kills it if
// it still runs. Nothing waits longer than a minute: then something is wrong, and the test fails.
//
// One thread at a time.
class Process {
 public:
  // Runs arguments[0]. `input` is its standard input, at most what a pipe holds (64 KiB); without a
  // value the input stays open for Say(). In the child, before the program, `prepare` runs if there
  // is one; false from it ends the child with status 126.
  explicit Process(const std::vector<std::string>& arguments,
                   const std::optional<std::string>& input = "",
                   const std::function<bool()>& prepare = nullptr);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Writes a line to the program, which must be alive.
  void Say(const std::string& line);
  // Ends its input.
  void EndInput();

  // The next line, without its end; "<end>" if there are no more.
  std::string ReadLine();
  // Lines up to and with the first that begins with `prefix`.
  std::vector<std::string> ReadThrough(const std::string& prefix);
  // All lines that are left.
  std::vector<std::string> ReadAll();

  void Signal(int signal);
  // Waits for the end: the exit status, or 128 + the signal. Reads nothing.
  int Wait();

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
  bool waited_ = false;
  int status_ = 0;
  std::string buffer_;
};

}  // namespace end_to_end
}  // namespace reeve

#endif  // REEVE_TESTS_END_TO_END_PROCESS_H_
