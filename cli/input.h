#ifndef REEVE_CLI_INPUT_H_
#define REEVE_CLI_INPUT_H_

#include <array>
#include <string>
#include <string_view>

namespace reeve {

// More than any request may have, so that one that is too long is answered as such.
inline constexpr size_t kMaxInputBytes = size_t{2} << 20;

// Reads a descriptor line by line. Asks for no more than there is: who asks line by line gets an
// answer to each before writing the next. One thread at a time.
class Input {
 public:
  // Takes the file of this name, or standard input if it is `-`; Failed() says if it cannot.
  explicit Input(const std::string& name);
  ~Input();
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  // Reads to the end of the line, or of the input if `to_end`, and drops what exceeds the limit.
  // Returns false if there was nothing, or if it could not be read to that end.
  bool Read(bool to_end, std::string* text);

  // Whether something could not be read, which is then said on standard error.
  bool Failed() const;

 private:
  // Reads what there is, and waits if there is nothing. Returns false at the end.
  bool Fill();

  const std::string name_;
  const int fd_;
  int error_;
  std::array<char, 65536> buffer_;
  std::string_view rest_;  // of the buffer, not given out yet
};

}  // namespace reeve

#endif  // REEVE_CLI_INPUT_H_
