# SPDX-License-Identifier: Apache-2.0
"""Real deaths: the real processes are killed at seeded moments, and then the world is counted.

make chaos ARGS="--days 20 --seed 7"     quick days on stand-ins
make chaos ARGS="--drills 8"             real drills on FlowFuse
"""
