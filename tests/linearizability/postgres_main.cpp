// The histories on a PostgreSQL server: the tests of this folder that take a store by its URL, with one.
#define DOCTEST_CONFIG_IMPLEMENT
#include "support/postgres_url_main.hpp"

int main(int count, char** words) {
  doctest::Context context(count, words);
  context.addFilter("test-case", "*at the URL given*");
  return sessile::testing::run_with_postgres_url(context, "SESSILE_LINEARIZABILITY_URL",
                                                 "?durability=process&pool_size=4");
}
