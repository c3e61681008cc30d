# SPDX-License-Identifier: Apache-2.0
"""The plan file: from YAML that people review to the Plan and the Runbook that machines follow.

    load       the file → Plan, with every problem at once
    check      the Plan against the verbs that the providers offer
    compile    the Plan, one system and one target → Runbook
    schema     the JSON Schema of the file
    effective  every value in force, with its origin

Below these: `parse` (bytes → located tree), `fit` (tree → the entries of `shape`), `read` (entries
→ Plan), `procedure` and `profiles` (the steps), `rules`, `drills` and `graph` (what may not be).
"""
