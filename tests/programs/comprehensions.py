def main():
    a = [i for i in range(4)]
    b = {i: str(i) for i in range(3)}
    c = {i % 2 for i in range(5)}
    d = [(x, y) for x in range(2) for y in range(2) if x != y]
    e = [
        i * 2
        for i in range(3)
        if i
    ]
    f = [[j for j in range(i)] for i in range(3)]
    k = 10
    g = [k + i for i in range(2)]
    h = sum(i for i in a)
    return h


top = [i for i in range(3)]
main()
