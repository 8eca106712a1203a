package bounce
